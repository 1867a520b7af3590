"""Pushes on their way to the page: as few calls as possible, never more than the page takes, lines at most ten times a second."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from slopn_app.window import messages
from slopn_app.window.shell import Shell
from slopn_wire.logs import Logs

PAUSE = 0.1
"""Seconds between two batches of lines."""
MOST_LINES = 50_000
"""Lines that wait for a page that doesn't take them; then the oldest are counted as missed."""
_OVERTAKEN = frozenset({"link", "snapshot", "event"})
_BATCH = 5_000
"""Lines handed over at once."""


class Outbox:
    """Takes from any thread; hands over by `shell`. Shut until `open` is called, and what comes meanwhile is dropped."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._lock = threading.Lock()
        self._pushes: list[dict[str, Any]] = []
        self._logs: deque[Logs] = deque()
        self._waiting = 0
        self._is_open = False
        self._round = 0
        self._under_way = False
        self._asked = False
        self._lines_due = False

    @property
    def is_open(self) -> bool:
        """Whether anybody listens."""
        return self._is_open

    def open(self, first: list[dict[str, Any]]) -> None:
        """The page listens, and is to hear `first`. Lines that wait for it still come; what `first` overtakes doesn't."""
        with self._lock:
            self._is_open = True
            self._pushes = [push for push in self._pushes if push["kind"] not in _OVERTAKEN] + first
        self._soon()

    def shut(self) -> None:
        """Nobody listens."""
        with self._lock:
            self._empty()
            self._is_open = False

    def push(self, *pushes: dict[str, Any]) -> None:
        """Hand over as soon as the page has taken what is under way."""
        with self._lock:
            if not self._is_open:
                return
            self._pushes += pushes
        self._soon()

    def lines(self, logs: Logs) -> None:
        """Hand over with the next batch of lines."""
        with self._lock:
            if not self._is_open:
                return
            self._logs.append(logs)
            self._waiting += len(logs.lines)
            while self._waiting > MOST_LINES and len(self._logs) > 1:
                self._drop()
            due, self._lines_due = self._lines_due, True
        if not due:
            self._shell.later(PAUSE, self._lines_now)

    def forget_lines(self) -> None:
        """Those that wait are no longer wanted."""
        with self._lock:
            self._logs.clear()
            self._waiting = 0

    def _empty(self) -> None:
        self._pushes = []
        self._logs.clear()
        self._waiting = 0
        self._under_way = False
        self._round += 1

    def _drop(self) -> None:
        lost = self._logs.popleft()
        self._waiting -= len(lost.lines)
        following = self._logs[0]
        if following.epoch == lost.epoch:
            missed = following.missed + lost.missed + len(lost.lines)
            self._logs[0] = Logs(following.lines, missed, following.epoch)

    def _lines_now(self) -> None:
        with self._lock:
            self._lines_due = False
            taken = 0
            last: dict[str, Any] = {}
            while self._logs and taken < _BATCH:
                logs = self._logs.popleft()
                taken += len(logs.lines)
                if last.get("epoch") == logs.epoch and not logs.missed:
                    last["lines"] += logs.lines
                else:
                    last = {"kind": "logs", "lines": [*logs.lines], "missed": logs.missed, "epoch": logs.epoch}
                    self._pushes.append(last)
            self._waiting -= taken
            again = bool(self._logs)
            self._lines_due = again
        if again:
            self._shell.later(PAUSE, self._lines_now)
        self._soon()

    def _soon(self) -> None:
        """What comes in the same moment goes together."""
        with self._lock:
            if self._asked or self._under_way or not self._pushes:
                return
            self._asked = True
        self._shell.later(0.0, self._now)

    def _now(self) -> None:
        with self._lock:
            self._asked = False
            if self._under_way or not self._pushes:
                return
            batch, self._pushes = self._pushes, []
            self._under_way = True
            number = self._round
        self._shell.deliver(messages.pushed(batch), lambda: self._taken(number))

    def _taken(self, number: int) -> None:
        with self._lock:
            if number != self._round:
                return
            self._under_way = False
        self._soon()
