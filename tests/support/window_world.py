"""A session of a window's, with a shell and a helper that the test moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slopn_app.window.session import Said, Session
from support.fake_watcher import FakeWatcher
from support.samples import CONNECTED
from support.until import until
from support.window_shell import FakeShell


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
