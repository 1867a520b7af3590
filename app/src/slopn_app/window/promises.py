"""Calls of the page's that wait for their answers, each on the thread that it came on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future

from slopn_app.window import messages

MOST = 64
"""Calls that wait at once; each has a thread."""


class Promises:
    """From any thread. `say`: takes a call, as `messages.Call` in JSON."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[str]] = {}
        self._number = 0

    def answer(self, to: str, text: str) -> str:
        """The answer, once there is one."""
        answer: Future[str] = Future()
        with self._lock:
            if len(self._waiting) >= MOST:
                return messages.error("failed", "The window has too much to do.")
            self._number += 1
            number = self._number
            self._waiting[number] = answer
        self._say(json.dumps({"id": number, "to": to, "text": text}))
        return answer.result()

    def keep(self, number: int, text: str) -> None:
        """Here is one; nothing if nobody waits for it any more."""
        with self._lock:
            answer = self._waiting.pop(number, None)
        if answer is not None:
            answer.set_result(text)

    def break_all(self) -> None:
        """Whoever waits is gone, or is to wait no longer."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            answer.set_result(messages.error("failed", "The page has gone."))
