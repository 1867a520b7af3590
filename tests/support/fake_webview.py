"""A `webview` without a screen: it notes what it is told, and the test moves its window."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import IntEnum
from typing import Any


class Event(list[Callable[..., Any]]):
    """Called in turn, by the test."""

    def __iadd__(self, item: Any) -> Event:  # type: ignore[override,misc] # noqa: PYI034 - as pywebview's
        """As pywebview's."""
        self.append(item)
        return self

    def fire(self, *arguments: Any) -> list[Any]:
        """What each handler returns."""
        return [each(*arguments) for each in self]


class Events:
    """As pywebview's: one for each name."""

    def __getattr__(self, name: str) -> Event:
        found = Event()
        setattr(self, name, found)
        return found


class Window:
    """As pywebview's."""

    width, height, x, y = 800, 600, 10, 20

    def __init__(self, made: dict[str, Any], url: str) -> None:
        self.made = made
        self.url: str | None = url
        self.events = Events()
        self.functions: dict[str, Callable[[Any], str]] = {}
        self.scripts: list[str] = []
        self.did: list[str] = []
        self.dialogs: list[dict[str, Any]] = []
        self.chosen: Any = None
        self.ended = threading.Event()

    def expose(self, *functions: Callable[..., Any]) -> None:
        """As pywebview's."""
        self.functions = {function.__name__: function for function in functions}

    def get_current_url(self) -> str | None:
        """As pywebview's."""
        return self.url

    def load_url(self, url: str) -> None:
        """As pywebview's."""
        self.url = url
        self.did.append("load")

    def run_js(self, script: str) -> None:
        """As pywebview's."""
        self.scripts.append(script)

    evaluate_js = run_js

    def show(self) -> None:
        """As pywebview's."""
        self.did.append("show")

    def hide(self) -> None:
        """As pywebview's."""
        self.did.append("hide")

    def restore(self) -> None:
        """As pywebview's."""
        self.did.append("restore")

    def destroy(self) -> None:
        """As pywebview's: asked whether it may."""
        self.did.append("destroy")
        if False not in self.events.closing.fire():
            self.ended.set()

    def create_file_dialog(self, kind: int, **more: Any) -> Any:
        """As pywebview's."""
        self.dialogs.append({"kind": int(kind), **more})
        return self.chosen


class FakeWebview:
    """The module. `run` is what happens while the window is there."""

    class FileDialog(IntEnum):
        """As pywebview's."""

        OPEN = 10
        SAVE = 30

    def __init__(self, run: Callable[[Window], None], renderer: str = "fake") -> None:
        self._run = run
        self._renderer = renderer
        self.settings: dict[str, Any] = {}
        self.started: dict[str, Any] = {}
        self.window: Window | None = None

    def create_window(self, _title: str, url: str, **made: Any) -> Window:
        """As pywebview's."""
        self.window = Window(made, url)
        return self.window

    def start(self, **started: Any) -> None:
        """As pywebview's."""
        self.started = started
        assert self.window is not None
        if False in self.window.events.initialized.fire(self._renderer):
            return
        try:
            self.window.events.before_show.fire()
        except RuntimeError:
            self.window.ended.wait(10)
            return
        self._run(self.window)
