"""A session of a window's, with a shell and a helper that the test moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from slopn_app.feed import Problem
from slopn_app.window.session import Said, Session
from slopn_wire.commands import Command
from slopn_wire.events import Done, Result
from slopn_wire.logs import LogFilter, Logs
from support.samples import CONNECTED
from support.until import until
from support.window_shell import FakeShell


class FakeWatcher:
    """A helper that says what the test has it say."""

    def __init__(self, tell: Callable[[Said], None]) -> None:
        self.tell = tell
        self.asked: list[Command] = []
        self.result: Result | Exception = Done()
        self.following: list[tuple[LogFilter, int, Callable[[Logs | Problem], None]]] = []
        self.stopped = 0
        self.numbers: list[str] = []
        self.retried = 0
        self.closed = False

    def ask(self, command: Command, _within: float = 0.0) -> Future[Result]:
        """As the real one."""
        self.asked.append(command)
        done: Future[Result] = Future()
        if isinstance(self.result, Exception):
            done.set_exception(self.result)
        else:
            done.set_result(self.result)
        return done

    def follow_logs(
        self, wanted: LogFilter, on_lines: Callable[[Logs | Problem], None], _since: float = 0.0, after: int = 0
    ) -> Callable[[], None]:
        """As the real one."""
        self.following.append((wanted, after, on_lines))

        def stop() -> None:
            self.stopped += 1

        return stop

    def give_number(self, number: str) -> None:
        """As the real one."""
        self.numbers.append(number)

    def retry(self) -> None:
        """As the real one."""
        self.retried += 1

    def close(self) -> None:
        """As the real one."""
        self.closed = True


class World:
    """A session, its shell, and the watchers it has had."""

    def __init__(self, folder: Path) -> None:
        self.shell = FakeShell()
        self.watchers: list[FakeWatcher] = []
        self.store = folder / "slopn/preferences.json"
        self.at_login: list[bool] = []
        self.starting: OSError | None = None
        self.started = 0
        self._number = 0
        self.session = Session(self.shell, self._watch, self.store, self)

    @property
    def watcher(self) -> FakeWatcher:
        """The last one."""
        return self.watchers[-1]

    def start_helper(self) -> None:
        """As the interface."""
        self.started += 1
        if self.starting is not None:
            raise self.starting

    def start_at_login(self, *, wanted: bool) -> None:
        """As the interface."""
        self.at_login.append(wanted)

    def call(self, to: str, what: Any) -> dict[str, Any]:
        """One call of the page's, and its answer."""
        self._number += 1
        text = what if isinstance(what, str) else json.dumps(what)
        self.session.called(json.dumps({"id": self._number, "to": to, "text": text}))
        until(lambda: self._number in self.shell.answers, 10, "an answer")
        return self.shell.answers[self._number]

    def local(self, do: str, **more: Any) -> Any:
        """What is answered under `ok`."""
        answer = self.call("local", {"do": do, **more})
        assert "error" not in answer, answer
        return answer["ok"]

    def _watch(self, tell: Callable[[Said], None]) -> Any:
        self.watchers.append(FakeWatcher(tell))
        return self.watchers[-1]


def up(world: World) -> World:
    """Its page listens to a helper that is up."""
    world.watcher.tell(CONNECTED)
    world.local("ready")
    world.shell.run()
    world.shell.taken.clear()
    return world
