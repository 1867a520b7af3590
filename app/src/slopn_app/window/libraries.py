"""GTK and WebKitGTK of the distribution, in the versions that the window is written for. They come without types."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_gi = import_module("gi")
for _name, _version in (("Gdk", "3.0"), ("Gtk", "3.0"), ("Soup", "3.0"), ("WebKit2", "4.1")):
    _gi.require_version(_name, _version)
Gdk: Any = import_module("gi.repository.Gdk")
Gio: Any = import_module("gi.repository.Gio")
GLib: Any = import_module("gi.repository.GLib")
Gtk: Any = import_module("gi.repository.Gtk")
Soup: Any = import_module("gi.repository.Soup")
WebKit2: Any = import_module("gi.repository.WebKit2")
