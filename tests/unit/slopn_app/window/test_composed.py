"""A window and the session in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slopn_app import preferences
from slopn_app.preferences import Preferences
from slopn_app.window.composed import Composed
from slopn_app.window.shell import Listener
from support.fake_watcher import FakeWatcher
from support.samples import CONNECTED
from support.until import until
from support.window_shell import FakeShell


class Frame(FakeShell):
    """One whose life is what the test does in `live`."""

    def __init__(self, live: Callable[[Listener], None]) -> None:
        super().__init__()
        self._live = live
        self.dressed: list[str] = []
        self.presented = 0
        self.changed: Callable[[], None] = lambda: None

    def run(self, listener: Listener) -> None:  # type: ignore[override]
        """As the interface."""
        self._live(listener)

    def shown(self) -> list[str]:
        """The pages that were asked for, after the desktop's thread has done what is due."""
        super().run()
        return [push["page"] for push in self.pushed if push["kind"] == "show"]

    def present(self) -> None:
        """As the interface."""
        self.presented += 1

    def dress(self, appearance: str) -> None:
        """As the interface."""
        self.dressed.append(appearance)

    def watch(self, _file: Path, changed: Callable[[], None]) -> None:
        """As the interface."""
        self.changed = changed


class NoActions:
    """Nothing is asked of the system here."""

    def start_helper(self) -> None:
        """As the interface."""

    def start_at_login(self, *, wanted: bool) -> None:
        """As the interface."""


def test_a_life(tmp_path: Path) -> None:
    """Dressed, told of changes and of later starts, and at the end everything is closed."""
    store = tmp_path / "slopn/preferences.json"
    preferences.save(store, preferences.Stored(Preferences(appearance="dark")))
    watchers: list[FakeWatcher] = []

    def watch(tell: Callable[..., None]) -> FakeWatcher:
        watchers.append(FakeWatcher(tell))
        return watchers[-1]

    def live(listener: Listener) -> None:
        watchers[-1].tell(CONNECTED)
        listener.called('{"id": 1, "to": "local", "text": "{\\"do\\": \\"ready\\"}"}')
        preferences.change(store, preferences=Preferences(appearance="light"))
        frame.changed()
        composed.called(())
        composed.called(("slopn://show/health",))
        until(lambda: sorted(frame.shown()) == ["health", "logs"], 10, "both starts' pages are shown")
        assert frame.kinds()[:2] == ["link", "snapshot"]
        assert "preferences" in frame.kinds()

    frame = Frame(live)
    composed = Composed(frame, watch, store, NoActions(), ("slopn://show/logs",))  # type: ignore[arg-type]
    composed.run()
    assert frame.dressed == ["dark", "light"]
    assert frame.presented == 2
    assert watchers[-1].closed
