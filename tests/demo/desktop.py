"""The demo's tray and window, on a screen of their own: both are asked what they say, and pictures are taken of them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Self

from slopn_app import preferences
from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure
from slopn_app.cli.report import headline
from slopn_app.preferences import Geometry, Preferences, Stored
from slopn_app.words import unreachable
from support.desktop import DesktopSession
from support.desktop_tray import Tray
from support.helper_process import BIN, HelperProcess
from support.until import until
from support.window import Window

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"
_TIMEOUT = 20.0
_MENU = "273x345+0+0"
_SIZE = Geometry(width=940, height=720, x=170, y=80)


class Desktop:
    """A context: tray and window of the laptop's user, over `helper`. `pictures`: the folder for them."""

    def __init__(self, helper: HelperProcess, pictures: Path) -> None:
        self._helper = helper
        self._pictures = pictures
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._screen = stack.enter_context(DesktopSession(panel=True))
            file = preferences.path(self._screen.environ)
            preferences.save(file, Stored(Preferences(welcomed=True, appearance="light"), _SIZE))
            tray = self._screen.start(BIN / "slopn-tray", "--login", environ=self._helper.front_end)
            stack.callback(tray.terminate)
            self.window = stack.enter_context(Window(self._screen, self._helper.front_end))
            self.tray = stack.enter_context(Tray(self._screen)).wait()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def agrees(self) -> str:
        """What tray and window say, once both say what the helper says. Raises `AssertionError` if they don't."""
        title = ""

        def both() -> bool:
            nonlocal title
            title = self._title()
            return self.window.headline().startswith(title) and title in self.tray.title

        try:
            until(both, _TIMEOUT, "tray and window agree with the helper")
        except AssertionError:
            seen = f"helper {title!r}, window {self.window.headline()!r}, tray {self.tray.title!r}"
            raise AssertionError(f"tray and window don't agree with the helper: {seen}") from None
        return f"Tray and window say so too: {title}."

    def picture(self, name: str) -> None:
        """Of the window alone."""
        self.window.wait_still()
        number = self._screen.run("xdotool", "search", "--onlyvisible", "--name", "^SloPN$").split()[-1]
        self._screen.run("import", "-window", number, "+set", "date:create", "-strip", self._place(name))

    def picture_of_menu(self, name: str) -> None:
        """Of the panel's corner with the tray's menu open."""
        hidden = self._screen.run("xdotool", "search", "--onlyvisible", "--name", "^SloPN$").split()[-1]
        self._screen.run("xdotool", "windowminimize", hidden)
        before = self._windows()
        self._screen.run("xdotool", "mousemove", "16", "16", "click", "1")
        until(lambda: self._windows() != before, _TIMEOUT, "the tray's menu is open")
        self._screen.run("xdotool", "mousemove", "470", "540")
        self._pause()
        self._screen.run("import", "-window", "root", "-crop", _MENU, "+repage", "-strip", self._place(name))
        self._screen.run("xdotool", "key", "Escape")
        self._screen.run("xdotool", "windowmap", hidden, "windowactivate", hidden)

    def _title(self) -> str:
        try:
            with Channel(str(self._helper.socket)) as channel:
                snapshot: Any = channel.snapshot()
        except Failure:
            return unreachable()[0].rstrip(".")
        return headline(snapshot, time.time())[0]

    def _windows(self) -> str:
        return self._screen.run("xwininfo", "-root", "-children")

    def _pause(self) -> None:
        """For what fades in: nothing says when it has."""
        time.sleep(0.7)

    def _place(self, name: str) -> Path:
        self._pictures.mkdir(parents=True, exist_ok=True)
        return self._pictures / f"{name}.png"
