"""`slopn-tray`: the icon in the panel.

Shows the icon before it loads what talks to the helper: whoever logs in sees it come up with the panel.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from slopn_app import assets, bootstrap
from slopn_app.desktop.parts import Desktop, Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.desktop.watcher import Watcher
    from slopn_app.feed import Problem
    from slopn_wire.events import Snapshot

NAME = "tray"
WINDOW = "window"
_FIRST = "slopn-question"
_WORDS = ("--login", "--connect", "--disconnect")
_USAGE = """usage: slopn-tray [--login] [--connect | --disconnect]

SloPN's icon in the panel. If it is there already: open the window.

  --login       started by the session: open no window
  --connect     connect as well
  --disconnect  disconnect as well
"""


def main() -> None:
    """The program. Exit status 0: the user left, or another tray serves; 1: there can't be a tray; 2: wrong words."""
    words = tuple(sys.argv[1:])
    if words in {("-h",), ("--help",)}:
        sys.stdout.write(_USAGE)
        raise SystemExit(0)
    if not set(words) <= set(_WORDS):
        sys.stderr.write(_USAGE)
        raise SystemExit(2)
    logging.basicConfig(level=logging.WARNING, format="slopn-tray: %(message)s")
    raise SystemExit(run(bootstrap.desktop(), words))


def run(desktop: Desktop, words: Words) -> int:
    """Serve until the user leaves."""
    instance = desktop.claim(NAME, words)
    if instance is None:
        return 0
    # What is built on C loops sees Ctrl+C late or never.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    icons = assets.folder("icons") / "rendered"
    try:
        surface = desktop.surface("slopn", icons, _FIRST)
    except ImportError as error:
        sys.stderr.write(f"slopn-tray: there can't be an icon here: {error}\n")
        instance.close()
        return 1

    def show_window(page: str) -> None:
        asked = (f"slopn://show/{page}",) if page else ()
        if not desktop.call(WINDOW, asked):
            try:
                desktop.launch("slopn-window", asked)
            except OSError as error:
                logging.getLogger(__name__).warning("%s", error)

    closing: list[Callable[[], None]] = []
    failed: list[BaseException] = []

    def begin() -> None:
        try:
            serve()
        except BaseException as error:
            # An icon that nobody serves would be a lie: end, and be started again.
            logging.getLogger(__name__).exception("The tray can't begin")
            failed.append(error)
            surface.stop()
            raise

    def serve() -> None:
        # Heavy: the icon is up by now.
        from slopn_app import preferences
        from slopn_app.tray.recent import Recent
        from slopn_app.tray.tray import Tray

        notifications = desktop.notifications("SloPN", icons / "hicolor/128x128/apps/slopn.png")
        recent = Recent(bootstrap.host().files)
        file: Path = preferences.path(os.environ)
        tray = Tray(surface, _watch, notifications, show_window, recent, file, os.environ, words=words)
        instance.listen(tray.called)
        closing.append(tray.close)
        tray.start()

    surface.run(lambda: surface.post(begin))
    for close in closing:
        close()
    instance.close()
    return 1 if failed else 0


def _watch(changed: Callable[[Snapshot | Problem], None]) -> Watcher:
    from slopn_app.client import HelperClient
    from slopn_app.desktop.watcher import Watcher
    from slopn_app.endpoint import socket_path

    return Watcher(lambda: HelperClient(socket_path(os.environ), NAME), changed)
