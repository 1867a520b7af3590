"""Chooses what the window is made of on this system, and puts it together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from slopn_app import bootstrap, locale, preferences
from slopn_app.desktop.parts import Autostart, Desktop, Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.desktop.watcher import Watcher
    from slopn_app.preferences import Geometry
    from slopn_app.window.composed import Composed, Frame
    from slopn_app.window.pages import Pages
    from slopn_app.window.session import Said

NAME = "window"
TRAY = "tray"
_NOTHING: Words = ("--login",)
"""What a tray that runs does nothing for."""


class Impossible(Exception):
    """There can't be a window here; the message says why, for people."""


class SystemActions:
    """`Actions` by what this system has."""

    def __init__(self, autostart: Autostart) -> None:
        self._autostart = autostart

    def start_helper(self) -> None:
        """As the interface."""
        _start_helper()

    def start_at_login(self, *, wanted: bool) -> None:
        """As the interface."""
        self._autostart.enable(on=wanted)


def watch(on_message: Callable[[Said], None]) -> Watcher:
    """The helper of this computer."""
    from slopn_app.client import HelperClient
    from slopn_app.desktop.watcher import Watcher
    from slopn_app.endpoint import socket_path

    return Watcher(lambda: HelperClient(socket_path(os.environ), NAME), on_message=on_message)


def window(words: Words) -> int:
    """Show the window until it is closed, and `words`, files and links, in it; or hand them to the one that runs.

    The exit status. Raises `Impossible`.
    """
    desktop = bootstrap.desktop()
    try:
        instance = desktop.claim(NAME, words)
    except OSError as error:
        raise Impossible(f"This user has no place for what runs: {error}") from None
    if instance is None:
        return 0
    try:
        shown = _shown(desktop, words)
        instance.listen(shown.called)
        shown.run()
    finally:
        instance.close()
    return 0


def _shown(desktop: Desktop, words: Words) -> Composed:
    from slopn_app.window.composed import Composed
    from slopn_app.window.pages import Missing, Pages, folder

    store = preferences.path(os.environ)
    stored = preferences.load(store)
    language = locale.speak(stored.preferences.language, os.environ)

    def keep(geometry: Geometry) -> None:
        preferences.change(store, geometry=geometry)

    def may_hide() -> bool:
        return desktop.call(TRAY, _NOTHING)

    try:
        shell = _shell(Pages(folder()), language, stored.geometry, keep, may_hide)
    except Missing as error:
        raise Impossible(str(error)) from None
    return Composed(shell, watch, store, SystemActions(desktop.autostart), words)


if sys.platform == "linux":

    def _shell(
        pages: Pages, language: str, geometry: Geometry, keep: Callable[[Geometry], None], may_hide: Callable[[], bool]
    ) -> Frame:
        from slopn_app.window import gtk

        try:
            return gtk.GtkShell(pages, [language], geometry, keep, may_hide)
        except gtk.NoDisplay as error:
            raise Impossible(str(error)) from None

    def _start_helper() -> None:
        from slopn_app.window import systemd

        systemd.start_helper()

else:
    if sys.platform == "win32":
        from slopn_app.window.webview_windows import Edge as Native
    else:
        from slopn_app.window.webview_macos import Cocoa as Native

    def _shell(
        pages: Pages, _: str, geometry: Geometry, keep: Callable[[Geometry], None], may_hide: Callable[[], bool]
    ) -> Frame:
        from slopn_app.window import native, webview

        try:
            return webview.WebviewShell(pages, Native(), geometry, keep, may_hide)
        except native.NoView as error:
            raise Impossible(str(error)) from None

    def _start_helper() -> None:
        raise OSError("Start SloPN's service by hand.")
