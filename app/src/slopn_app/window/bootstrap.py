"""Chooses what the window is made of on this system, and puts it together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from slopn_app import locale, preferences
from slopn_app.client import HelperClient
from slopn_app.desktop.watcher import Watcher
from slopn_app.endpoint import socket_path
from slopn_app.preferences import Geometry
from slopn_app.window import pages
from slopn_app.window.session import Said, Session

FRONT_END = "window"


class Impossible(Exception):
    """There can't be a window here; the message says why, for people."""


class SystemActions:
    """`Actions` by what this system has."""

    def start_helper(self) -> None:
        """As the interface."""
        if sys.platform != "linux":
            raise OSError("Start SloPN's service by hand.")
        from slopn_app.window import systemd

        systemd.start_helper()

    def start_at_login(self, *, wanted: bool) -> None:
        """As the interface."""


def watch(on_message: Callable[[Said], None]) -> Watcher:
    """The helper of this computer."""
    return Watcher(lambda: HelperClient(socket_path(os.environ), FRONT_END), on_message=on_message)


if sys.platform == "linux":

    def window(words: Sequence[str]) -> int:
        """Show the window until it is closed, and `words`, files and links, in it. Raises `Impossible`."""
        from slopn_app.window import gtk

        store = preferences.path(os.environ)
        stored = preferences.load(store)
        language = locale.speak(stored.preferences.language, os.environ)

        def keep(geometry: Geometry) -> None:
            preferences.change(store, geometry=geometry)

        try:
            page = pages.Pages(pages.folder())
            shell = gtk.GtkShell(page, [language], stored.geometry, keep, lambda: False)
        except (pages.Missing, gtk.NoDisplay) as error:
            raise Impossible(str(error)) from None
        shell.dress(stored.preferences.appearance)
        session = Session(shell, watch, store, SystemActions())

        def changed() -> None:
            session.preferences_changed()
            shell.dress(preferences.load(store).preferences.appearance)

        shell.watch(store, changed)
        if words:
            session.open(words)
        try:
            shell.run(session)
        finally:
            session.close()
        return 0

else:

    def window(words: Sequence[str]) -> int:
        """As above."""
        raise Impossible(f"SloPN has no window for this system yet ({len(words)} to open).")
