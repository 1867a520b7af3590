"""A thread that does one thing after the other, at its time: a desktop's, where the desktop lends none to its guests."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

_LOG = logging.getLogger(__name__)
_LOOK = 1.0
"""Seconds between two looks at a file that is watched."""


class Desk:
    """From any thread. What isn't due when it is closed isn't done."""

    def __init__(self, name: str) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._closed = False
        self._changed = threading.Condition()
        # Whoever hangs in a desktop that is gone mustn't keep the process.
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def soon(self, do: Callable[[], None]) -> None:
        """Next, after what is due already."""
        self.later(0.0, do)

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """After so many seconds."""
        with self._changed:
            self._number += 1
            heapq.heappush(self._due, (time.monotonic() + seconds, self._number, do))
            self._changed.notify()

    def close(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _work(self) -> None:
        while (do := self._next()) is not None:
            try:
                do()
            except Exception:  # noqa: BLE001 - the next one is another matter
                _LOG.exception("The window failed at something")

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
            return None


def watch(desk: Desk, file: Path, changed: Callable[[], None]) -> None:
    """Call back, on the desk's thread, when a file has been written by somebody."""

    def look(seen: tuple[int, int] | None) -> None:
        now = _stamp(file)
        if now != seen:
            changed()
        desk.later(_LOOK, lambda: look(now))

    first = _stamp(file)
    desk.later(_LOOK, lambda: look(first))


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
