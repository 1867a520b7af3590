"""A window and the session in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from slopn_app import preferences
from slopn_app.desktop.parts import Words
from slopn_app.window.errands import Actions
from slopn_app.window.session import Session, Watch
from slopn_app.window.shell import Listener, Shell


class Frame(Shell, Protocol):
    """A shell that can be run."""

    def run(self, listener: Listener) -> None:
        """Show the window; returns when it is closed for good."""
        ...

    def present(self) -> None:
        """Bring it to the front, from wherever it is."""
        ...

    def dress(self, appearance: str) -> None:
        """Have the frame as the page will be: `auto`, `light`, `dark`."""
        ...

    def watch(self, file: Path, changed: Callable[[], None]) -> None:
        """Call back when a file has been written by somebody."""
        ...


class Composed:
    """`store`: the preferences' file. `words`: what it was started with."""

    def __init__(self, frame: Frame, watch: Watch, store: Path, actions: Actions, words: Words) -> None:
        self._frame = frame
        self._store = store
        self._session = Session(frame, watch, store, actions)
        if words:
            self._session.open(words)

    def run(self) -> None:
        """Until it is closed."""
        self._frame.dress(preferences.load(self._store).preferences.appearance)
        self._frame.watch(self._store, self._preferences_changed)
        try:
            self._frame.run(self._session)
        finally:
            self._session.close()

    def called(self, words: Words) -> None:
        """Another start, with these words: this window is the one that is meant. On any thread."""
        if words:
            self._session.open(words)
        self._frame.present()

    def _preferences_changed(self) -> None:
        self._session.preferences_changed()
        self._frame.dress(preferences.load(self._store).preferences.appearance)
