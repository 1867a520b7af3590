"""A helper as the desktop's programs have it, in memory: it answers as the test has scripted it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from slopn_app.feed import Problem
from slopn_wire.commands import Command
from slopn_wire.events import Done, Result
from slopn_wire.logs import LogFilter, Logs


class FakeWatcher:
    """A `Watcher`. `tell`: what it was given for changes; `answer`: to every command, raised if it is an exception."""

    def __init__(self, tell: Callable[[Any], None] = lambda _: None) -> None:
        self.tell = tell
        self.asked: list[Command] = []
        self.answer: Result | Exception = Done()
        self.following: list[tuple[LogFilter, int, Callable[[Logs | Problem], None]]] = []
        self.stopped = 0
        self.numbers: list[str] = []
        self.retried = 0
        self.closed = False

    def ask(self, command: Command, _within: float = 0.0) -> Future[Result]:
        """With what is scripted."""
        self.asked.append(command)
        done: Future[Result] = Future()
        if isinstance(self.answer, CancelledError):
            done.cancel()
        elif isinstance(self.answer, Exception):
            done.set_exception(self.answer)
        else:
            done.set_result(self.answer)
        return done

    def follow_logs(
        self, wanted: LogFilter, on_lines: Callable[[Logs | Problem], None], _since: float = 0.0, after: int = 0
    ) -> Callable[[], None]:
        """It is remembered; so is the end."""
        self.following.append((wanted, after, on_lines))

        def stop() -> None:
            self.stopped += 1

        return stop

    def give_number(self, number: str) -> None:
        """It is remembered."""
        self.numbers.append(number)

    def retry(self) -> None:
        """It is counted."""
        self.retried += 1

    def close(self) -> None:
        """It is remembered."""
        self.closed = True
