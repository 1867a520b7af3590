"""The window on a GTK desktop: its frame, its dialogs, its clipboard, and what is dropped on it."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slopn_app.preferences import Geometry
from slopn_app.window.libraries import Gdk, Gio, GLib, Gtk
from slopn_app.window.pages import Pages
from slopn_app.window.shell import Listener
from slopn_app.window.webkit import View

_LOG = logging.getLogger(__name__)
NAME = "slopn-window"
SMALLEST = (360, 480)
_DARK, _LIGHT = (0.071, 0.078, 0.09), (0.98, 0.98, 0.985)


class NoDisplay(Exception):
    """There is no screen to open a window on."""


class GtkShell:
    """A `Shell`. `keep`: where the window was, when it is hidden or closed. `may_hide`: whether closing hides it only.

    `run` shows it and returns once it is closed.
    """

    def __init__(
        self,
        pages: Pages,
        languages: Sequence[str],
        geometry: Geometry,
        keep: Callable[[Geometry], None],
        may_hide: Callable[[], bool],
    ) -> None:
        GLib.set_prgname(NAME)
        Gdk.set_program_class("SloPN")
        if not Gtk.init_check(None)[0]:
            raise NoDisplay("There is no screen to open a window on: neither DISPLAY nor WAYLAND_DISPLAY leads to one.")
        self._keep = keep
        self._may_hide = may_hide
        self._geometry = geometry
        self._listener: Listener | None = None
        self._dragged: tuple[Any, list[Path]] | None = None
        self._monitor: Any = None
        self.view = View(pages, languages, self._called, self._gone)
        self.window = Gtk.Window(title="SloPN", icon_name="slopn")
        self.window.set_size_request(*SMALLEST)
        self.window.set_default_size(max(geometry.width, SMALLEST[0]), max(geometry.height, SMALLEST[1]))
        if geometry.x is not None and geometry.y is not None:
            self.window.move(geometry.x, geometry.y)
        if geometry.maximized:
            self.window.maximize()
        self.window.add(self.view.widget)
        self.window.connect("delete-event", self._on_close)
        self.window.connect("configure-event", self._on_configure)
        self.view.widget.connect("drag-data-received", self._on_dragged)
        self.view.widget.connect("drag-drop", self._on_drop)

    def run(self, listener: Listener) -> None:
        """Show the window; returns when it is closed for good."""
        self._listener = listener
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, self.quit)
        self.view.load()
        self.window.show_all()
        Gtk.main()

    def present(self) -> None:
        """Bring it to the front, from wherever it is."""
        self._soon(self._present)

    def quit(self) -> bool:
        """Close it for good. Any thread."""
        self._soon(self._quit)
        return True  # go on listening to the signal

    def dress(self, appearance: str) -> None:
        """Have the frame, and the ground before the page is there, as the page will be: `auto`, `light`, `dark`."""

        def dress() -> None:
            settings = Gtk.Settings.get_default()
            if appearance != "auto":
                settings.set_property("gtk-application-prefer-dark-theme", appearance == "dark")
            theme = settings.get_property("gtk-theme-name") or ""
            dark = settings.get_property("gtk-application-prefer-dark-theme") or theme.lower().endswith("-dark")
            self.view.widget.set_background_color(Gdk.RGBA(*(_DARK if dark else _LIGHT), 1.0))

        self._soon(dress)

    def watch(self, file: Path, changed: Callable[[], None]) -> None:
        """Call back when a file has been written by somebody."""
        self._monitor = Gio.File.new_for_path(str(file)).monitor_file(Gio.FileMonitorFlags.WATCH_MOVES, None)
        self._monitor.connect("changed", lambda *_: changed())

    # ----------------------------------------------------------------------------------------------- as the interface

    def deliver(self, text: str, done: Callable[[], None]) -> None:
        """As the interface."""
        self._soon(lambda: self.view.deliver(text, done))

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """As the interface."""
        GLib.timeout_add(int(seconds * 1000), lambda: _guarded(do))

    def tell(self, text: str) -> None:
        """As the interface."""

        def tell() -> None:
            dialog = Gtk.MessageDialog(
                transient_for=self.window,
                message_type=Gtk.MessageType.WARNING,
                buttons=Gtk.ButtonsType.CLOSE,
                text=text,
            )
            dialog.connect("response", lambda *_: dialog.destroy())
            dialog.show()

        self._soon(tell)

    def pick(self, chosen: Callable[[Sequence[Path]], None]) -> None:
        """As the interface."""

        def pick() -> None:
            dialog = Gtk.FileChooserNative.new("Add profiles", self.window, Gtk.FileChooserAction.OPEN, None, None)
            dialog.set_select_multiple(True)
            for name, patterns in (
                (
                    "Profiles, pictures and ZIP files",
                    ("*.conf", "*.png", "*.jpg", "*.jpeg", "*.webp", "*.gif", "*.zip"),
                ),
                ("All files", ("*",)),
            ):
                these = Gtk.FileFilter()
                these.set_name(name)
                for pattern in patterns:
                    these.add_pattern(pattern)
                    these.add_pattern(pattern.upper())
                dialog.add_filter(these)
            self._ask(dialog, lambda found: chosen([] if found is None else found))

        self._soon(pick)

    def place(self, name: str, chosen: Callable[[Path | None], None]) -> None:
        """As the interface."""

        def place() -> None:
            dialog = Gtk.FileChooserNative.new("Save", self.window, Gtk.FileChooserAction.SAVE, None, None)
            dialog.set_do_overwrite_confirmation(True)
            dialog.set_current_name(name)
            self._ask(dialog, lambda found: chosen(found[0] if found else None))

        self._soon(place)

    def copy(self, text: str) -> None:
        """As the interface."""

        def copy() -> None:
            clipboard = Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD)
            clipboard.set_text(text, -1)
            clipboard.store()

        self._soon(copy)

    # --------------------------------------------------------------------------------------------------------- signals

    def _soon(self, do: Callable[[], None]) -> None:
        GLib.idle_add(lambda: _guarded(do), priority=GLib.PRIORITY_DEFAULT)

    def _called(self, text: str) -> None:
        if self._listener is not None:
            self._listener.called(text)

    def _gone(self) -> None:
        if self._listener is not None:
            self._listener.gone()

    def _present(self) -> None:
        self.window.show_all()
        self.window.deiconify()
        self.window.present_with_time(Gdk.CURRENT_TIME)

    def _quit(self) -> None:
        self._keep(self._geometry)
        Gtk.main_quit()

    def _on_close(self, *_: Any) -> bool:
        self._keep(self._geometry)
        if self._may_hide():
            self.window.hide()
            self._gone()
        else:
            Gtk.main_quit()
        return True

    def _on_configure(self, window: Any, _: Any) -> bool:
        maximized = window.is_maximized()
        (width, height), (x, y) = window.get_size(), window.get_position()
        if maximized:
            width, height, x, y = self._geometry.width, self._geometry.height, self._geometry.x, self._geometry.y
        self._geometry = Geometry(width, height, x, y, maximized)
        return False

    def _on_dragged(self, _view: Any, context: Any, _x: int, _y: int, data: Any, _info: int, _time: int) -> None:
        """What is being dragged, as soon as the view asks for it; it isn't dropped yet."""
        found = [_local_path(uri) for uri in data.get_uris()]
        paths = [path for path in found if path is not None]
        if paths:
            self._dragged = (context, paths)

    def _on_drop(self, _view: Any, context: Any, _x: int, _y: int, _time: int) -> bool:
        dragged, self._dragged = self._dragged, None
        if dragged is not None and dragged[0] == context and self._listener is not None:
            self._listener.dropped(dragged[1])
        return False

    def _ask(self, dialog: Any, found: Callable[[list[Path] | None], None]) -> None:
        def answered(_: Any, response: Any) -> None:
            accepted = response == Gtk.ResponseType.ACCEPT
            names = [Path(name) for name in dialog.get_filenames()] if accepted else None
            dialog.destroy()
            found(names)

        dialog.set_modal(True)
        dialog.connect("response", answered)
        dialog.show()


def _local_path(uri: str) -> Path | None:
    try:
        name, host = GLib.filename_from_uri(uri)
    except GLib.Error:
        return None
    return Path(name) if not host else None


def _guarded(do: Callable[[], None]) -> bool:
    """Once. GLib would print what is raised, and lose where it came from."""
    try:
        do()
    except Exception:  # noqa: BLE001 - the desktop's loop goes on
        _LOG.exception("The window failed at something")
    return False
