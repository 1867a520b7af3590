"""What a tray stands on, in memory: a surface whose time passes when a test says so, and notifications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slopn_app.desktop.faces import Entry, Face


class FakeSurface:
    """A `Surface` whose time passes when the test says so."""

    def __init__(self) -> None:
        self.animated = True
        self.faces: list[Face[Callable[[], None]]] = []
        self.stopped = False
        self.place: Callable[[bool], None] = lambda _: None
        self.asks: list[Callable[[str], None]] = []
        self._timers: dict[int, tuple[float, Callable[[], None]]] = {}
        self.now = 0.0
        self._number = 0

    def run(self, started: Callable[[], None]) -> None:
        """At once."""
        started()

    def stop(self) -> None:
        """It is remembered."""
        self.stopped = True

    def post(self, do: Callable[[], None]) -> None:
        """At once."""
        do()

    def later(self, seconds: float, do: Callable[[], None]) -> Callable[[], None]:
        """When the test lets time pass."""
        self._number += 1
        number = self._number
        self._timers[number] = self.now + seconds, do
        return lambda: self._timers.pop(number, None) and None

    def show(self, face: Face[Callable[[], None]]) -> None:
        """They are remembered."""
        self.faces.append(face)

    def placed(self, changed: Callable[[bool], None]) -> None:
        """The test says what."""
        self.place = changed

    def ask_number(self, title: str, text: str, given: Callable[[str], None]) -> None:
        """The test answers."""
        assert title
        assert text
        self.asks.append(given)

    def wait(self, seconds: float) -> None:
        """Let time pass for timers."""
        end = self.now + seconds
        while due := sorted((at, number) for number, (at, _) in self._timers.items() if at <= end):
            self.now, number = due[0]
            self._timers.pop(number)[1]()
        self.now = end

    def choose(self, *path: str) -> None:
        """A line of the menu as it is now."""
        inside = self.faces[-1].menu
        found: Entry[Callable[[], None]] | None = None
        for label in path:
            found = next(entry for entry in inside if entry.label == label)
            inside = found.children
        assert found is not None
        assert found.act is not None
        found.act()


class FakeNotifications:
    """`Notifications` that are remembered."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.buttons: dict[str, Callable[[], None]] = {}
        self.cleared = 0
        self.closed = False

    def show(self, title: str, text: str, buttons: Any, *, urgent: bool, clicked: Any = None) -> None:
        """They are remembered."""
        assert text
        assert urgent in {True, False}
        self.shown.append(title)
        self.buttons = {**dict(buttons), "": clicked}

    def clear(self) -> None:
        """It is counted."""
        self.cleared += 1

    def close(self) -> None:
        """It is remembered."""
        self.closed = True
