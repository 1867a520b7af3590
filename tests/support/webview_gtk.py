"""pywebview's GTK for the shell that Windows and macOS have, so that it really runs here. `python -m support.webview_gtk WORD…`.

Who connects to the socket $CONTROL (multiprocessing's) sends scripts and gets what they return. $LAX: without the fence.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Listener
from typing import Any

from slopn_app import bootstrap as parts
from slopn_app import preferences
from slopn_app.preferences import Geometry
from slopn_app.window import bootstrap, pages
from slopn_app.window.composed import Composed
from slopn_app.window.libraries import Gdk, Gtk, WebKit2
from slopn_app.window.webview import WebviewShell


class WebkitGtk:
    """A `Native`."""

    gui = "gtk"
    renderer = "gtkwebkit2"

    def missing(self) -> str | None:
        """As the interface."""
        return None

    def fence(self, window: Any, may: Callable[[str], bool], leave: Callable[[], None]) -> None:  # noqa: ARG002
        """As the interface."""
        view = import_module("webview.platforms.gtk").BrowserView.instances[window.uid].webview
        # WebKitGTK takes $LANG for it, and "C" is no language.
        view.get_context().set_preferred_languages(["en"])
        if "LAX" in os.environ:
            return

        def decide(_: Any, decision: Any, kind: Any) -> bool:
            if kind == WebKit2.PolicyDecisionType.RESPONSE:
                return False
            action = decision.get_navigation_action()
            if kind == WebKit2.PolicyDecisionType.NAVIGATION_ACTION and may(action.get_request().get_uri()):
                decision.use()
            else:
                decision.ignore()
            return True

        # pywebview's own comes first; it decides nothing about where the view goes.
        view.connect("decide-policy", decide)

    def copy(self, _window: Any, text: str) -> None:
        """As the interface."""
        parts_of = Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD)
        parts_of.set_text(text, -1)
        parts_of.store()


def _control(shell: WebviewShell) -> None:
    with Listener(os.environ["CONTROL"], "AF_UNIX") as listener, listener.accept() as connection:
        while True:
            try:
                script = connection.recv()
            except EOFError:
                return
            try:
                connection.send(shell.window.evaluate_js(script))
            except Exception as error:  # noqa: BLE001 - it is the test's
                connection.send(repr(error))


def main() -> None:
    """As `bootstrap.window`, with this native part."""
    store = preferences.path(os.environ)

    def keep(geometry: Geometry) -> None:
        preferences.change(store, geometry=geometry)

    shell = WebviewShell(
        pages.Pages(pages.folder()),
        WebkitGtk(),
        preferences.load(store).geometry,
        keep,
        lambda: "TRAY" in os.environ,
    )
    threading.Thread(target=_control, args=(shell,), daemon=True).start()
    actions = bootstrap.SystemActions(parts.desktop().autostart)
    Composed(shell, bootstrap.watch, store, actions, tuple(sys.argv[1:])).run()


if __name__ == "__main__":
    main()
