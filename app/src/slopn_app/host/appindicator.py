"""The tray on Linux: pystray's AppIndicator backend (StatusNotifierItem), with icons that stay on disk and a menu that stays open.

pystray writes each icon into a new temporary file, whose picture panel and GTK keep for ever, and makes a new menu for each
change, which closes the one that is open. Here icons have names in a folder of our own, and the menu's lines change in place.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from slopn_app.desktop.faces import Entry, Face

_WATCHER = "org.kde.StatusNotifierWatcher"
_PATIENCE = 1000
"""Milliseconds for the panel's answer."""
Do = Callable[[], None]


class AppIndicator:
    """A `Surface`. `icons`: a folder with an icon theme (`hicolor/16x16/apps/…`). Raises `ImportError` without a display."""

    def __init__(self, name: str, icons: Path, icon: str) -> None:
        os.environ["PYSTRAY_BACKEND"] = "appindicator"
        backend = import_module("pystray._appindicator")
        self._gtk = import_module("gi.repository.Gtk")
        self._glib = import_module("gi.repository.GLib")
        self._gio = import_module("gi.repository.Gio")
        self._menu = self._gtk.Menu.new()
        self._lines = _Lines(self._gtk, self._glib, self._menu)
        self._icon = _kind(backend)(name, icon, "SloPN", menu=None)
        self._icon.ours(self._menu, str(icons))
        self._shown: Face[Do] | None = None
        settings = self._gtk.Settings.get_default()
        self.animated = settings is None or bool(settings.get_property("gtk-enable-animations"))

    def run(self, started: Do) -> None:
        """See `Surface`."""

        def begin() -> None:
            self._icon.visible = True
            started()

        self.post(begin)
        self._icon.run(setup=_nothing)

    def stop(self) -> None:
        """See `Surface`."""
        self._icon.visible = False
        self._icon.stop()

    def post(self, do: Do) -> None:
        """See `Surface`."""
        self._glib.idle_add(_once(do))

    def later(self, seconds: float, do: Do) -> Do:
        """See `Surface`."""
        live = [True]

        def call() -> bool:
            if live[0]:
                live[0] = False
                do()
            return False

        source = self._glib.timeout_add(max(int(seconds * 1000), 1), call)

        def cancel() -> None:
            if live[0]:
                live[0] = False
                self._glib.source_remove(source)

        return cancel

    def show(self, face: Face[Do]) -> None:
        """See `Surface`."""
        shown, self._shown = self._shown, face
        if shown is None or shown.menu != face.menu:
            self._lines.set(face.menu)
        if shown is None or shown.title != face.title:
            self._icon.title = face.title
        if shown is None or shown.icon != face.icon:
            self._icon.icon = face.icon

    def placed(self, changed: Callable[[bool], None]) -> None:
        """See `Surface`."""

        def appeared(bus: Any, *_: object) -> None:
            changed(self._hosted(bus))

        def vanished(*_: object) -> None:
            changed(False)

        self._gio.bus_watch_name(
            self._gio.BusType.SESSION, _WATCHER, self._gio.BusNameWatcherFlags.NONE, appeared, vanished
        )

    def ask_number(self, title: str, text: str, given: Callable[[str], None]) -> None:
        """See `Surface`."""
        gtk = self._gtk
        dialog = gtk.Dialog(title=title)
        dialog.add_buttons("_Cancel", gtk.ResponseType.CANCEL, "_OK", gtk.ResponseType.OK)
        dialog.set_default_response(gtk.ResponseType.OK)
        dialog.set_keep_above(True)
        entry = gtk.Entry(max_length=6, activates_default=True, input_purpose=gtk.InputPurpose.DIGITS)
        box = dialog.get_content_area()
        box.set_property("margin", 12)
        box.set_spacing(12)
        label = gtk.Label(label=text, wrap=True, xalign=0.0, mnemonic_widget=entry, max_width_chars=50)
        for widget in (label, entry):
            box.pack_start(widget, False, False, 0)

        def answered(_: Any, response: int) -> None:
            number = entry.get_text().strip()
            dialog.destroy()
            if response == gtk.ResponseType.OK and number:
                given(number)

        dialog.connect("response", answered)
        dialog.show_all()
        dialog.present()

    def _hosted(self, bus: Any) -> bool:
        """Whether there is somebody who draws icons, not only somebody who collects them."""
        arguments = self._glib.Variant("(ss)", (_WATCHER, "IsStatusNotifierHostRegistered"))
        try:
            answer = bus.call_sync(
                _WATCHER,
                "/StatusNotifierWatcher",
                "org.freedesktop.DBus.Properties",
                "Get",
                arguments,
                None,
                self._gio.DBusCallFlags.NONE,
                _PATIENCE,
                None,
            )
        except self._glib.Error:
            return True  # it is there, and that is all that can be known
        return bool(answer.unpack()[0])


class _Lines:
    """A GTK menu that follows a list of entries, line by line; what doesn't change isn't touched."""

    def __init__(self, gtk: Any, glib: Any, menu: Any) -> None:
        self._gtk = gtk
        self._glib = glib
        self._menu = menu
        self._lines: list[_Line] = []

    def set(self, entries: tuple[Entry[Do], ...]) -> None:
        """From now on the menu has these."""
        kinds = {entry.key: _shape(entry) for entry in entries}
        for line in [line for line in self._lines if kinds.get(line.entry.key) != _shape(line.entry)]:
            self._drop(line)
        for place, entry in enumerate(entries):
            if place < len(self._lines) and self._lines[place].entry.key == entry.key:
                self._lines[place].set(entry)
                continue
            for line in [line for line in self._lines if line.entry.key == entry.key]:
                self._drop(line)
            line = _Line(self._gtk, self._glib, entry)
            self._lines.insert(place, line)
            self._menu.insert(line.item, place)
            line.item.show()
        for line in self._lines[len(entries) :]:
            self._drop(line)

    def _drop(self, line: _Line) -> None:
        self._lines.remove(line)
        self._menu.remove(line.item)
        line.item.destroy()


class _Line:
    """One GTK menu item."""

    def __init__(self, gtk: Any, glib: Any, entry: Entry[Do]) -> None:
        self.entry = entry
        self._glib = glib
        self._children: _Lines | None = None
        self._signal: int | None = None
        if not entry.label:
            self.item = gtk.SeparatorMenuItem()
            return
        if entry.checked is None:
            self.item = gtk.MenuItem(label=entry.label)
        else:
            self.item = gtk.CheckMenuItem(label=entry.label, active=entry.checked, draw_as_radio=entry.radio)
        if entry.children:
            menu = gtk.Menu.new()
            self._children = _Lines(gtk, glib, menu)
            self._children.set(entry.children)
            self.item.set_submenu(menu)
        else:
            self._signal = self.item.connect("activate", self._chosen)
        self.item.set_sensitive(_sensitive(entry))

    def set(self, entry: Entry[Do]) -> None:
        """Another state of the same shape."""
        before, self.entry = self.entry, entry
        if before.label != entry.label:
            self.item.set_label(entry.label)
        if before.checked != entry.checked:
            self._mark()
        if _sensitive(before) != _sensitive(entry):
            self.item.set_sensitive(_sensitive(entry))
        if self._children is not None:
            self._children.set(entry.children)

    def _chosen(self, _: Any) -> None:
        if self.entry.checked is not None:
            # GTK marks it at once; it is so when the helper says so.
            self._glib.idle_add(_once(self._mark))
        if self.entry.act is not None:
            self.entry.act()

    def _mark(self) -> None:
        if self._signal is None or self.entry.checked is None:
            return
        self.item.handler_block(self._signal)
        self.item.set_active(self.entry.checked)
        self.item.handler_unblock(self._signal)


def _kind(backend: Any) -> Any:
    """pystray's icon, made to take names of icons for icons and one menu for ever; called on the drawing thread alone."""

    class Icon(backend.Icon):  # type: ignore[misc]
        def ours(self, menu: Any, folder: str) -> None:
            self._menu_handle = menu
            self._appindicator.set_icon_theme_path(folder)

        def _initialize(self) -> None:
            # pystray would look for who shows notifications, which isn't its business here, and take Ctrl+C.
            self._mark_ready()

        def _update_icon(self) -> None:
            self._icon_valid = True
            self._appindicator.set_icon_full(self._icon, self._title)

        def _update_title(self) -> None:
            self._appindicator.set_title(self._title)

        def _update_menu(self) -> None:
            """Its lines change, it stays."""

        def _show(self) -> None:
            self._update_title()
            self._appindicator.set_menu(self._menu_handle)
            self._appindicator.set_status(backend.AppIndicator.IndicatorStatus.ACTIVE)

        def _hide(self) -> None:
            self._appindicator.set_status(backend.AppIndicator.IndicatorStatus.PASSIVE)

        def _finalize(self) -> None:
            del self._appindicator

    return Icon


def _shape(entry: Entry[Do]) -> tuple[bool, bool, bool, bool]:
    """What a line can't change while it lives."""
    return not entry.label, entry.checked is None, entry.radio, bool(entry.children)


def _sensitive(entry: Entry[Do]) -> bool:
    return entry.act is not None or bool(entry.children)


def _once(do: Do) -> Callable[[], bool]:
    def call() -> bool:
        do()
        return False

    return call


def _nothing(_: object) -> None:
    """For pystray, which would show the icon from a thread of its own."""
