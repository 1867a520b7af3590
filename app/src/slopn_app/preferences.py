"""What belongs to this user and these front ends, not to the helper: one small file, read by the tray, written by the window.

A file that makes no sense, in whole or in part, is no reason not to start: what can't be read holds its default.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from slopn_app import atomic

MOST = 64 << 10
"""Bytes of the file that are read."""
_FAVOURITES = 100
_NAME = 200
_T = TypeVar("_T", bound=Struct)


class Notifications(Struct, frozen=True, forbid_unknown_fields=True):
    """Which kinds of notification the user wants."""

    connected: bool = True
    """The tunnel is up, after somebody asked for it."""
    lost: bool = True
    """It went down by itself."""
    back: bool = True
    """It is up again by itself."""
    blocked: bool = True
    """There can be no tunnel."""
    portal: bool = True
    """The network wants a sign-in first."""


class Preferences(Struct, frozen=True, forbid_unknown_fields=True):
    """What the page of the window shows and changes: its `Preferences` in app/ui/src/bridge.ts."""

    start_at_login: bool = False
    """The icon comes up with the panel."""
    connect_at_start: bool = False
    """The tray connects as soon as it runs, unless there is a tunnel or the user has paused."""
    notifications: Notifications = Notifications()
    appearance: Literal["auto", "light", "dark"] = "auto"
    """Of the window: `light`, `dark`, or as the desktop is."""
    language: Literal["auto", "en", "de"] = "auto"
    """Of window and tray: `en`, `de`, or as the session has it."""
    welcomed: bool = False
    """The first run is behind this user."""
    favourites: tuple[str, ...] = ()
    """Names of profiles that stand first."""

    def __post_init__(self) -> None:
        if len(self.favourites) > _FAVOURITES or any(len(name) > _NAME for name in self.favourites):
            raise ValueError(f"at most {_FAVOURITES} favourites, each of at most {_NAME} letters")


class Geometry(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the window was, in the desktop's pixels. None: let the window manager choose."""

    width: int = 900
    height: int = 680
    x: int | None = None
    y: int | None = None
    maximized: bool = False


class Stored(Struct, frozen=True, forbid_unknown_fields=True):
    """All that the file holds."""

    preferences: Preferences = Preferences()
    geometry: Geometry = Geometry()
    told_no_tray: bool = False
    """The user was told once that this desktop has no place for a tray icon."""


def path(environ: Mapping[str, str]) -> Path:
    """$XDG_CONFIG_HOME/slopn/preferences.json, or where this system keeps such things (XDG Base Directory Specification)."""
    folder = environ.get("XDG_CONFIG_HOME", "")
    if not PurePath(folder).is_absolute():
        folder = environ.get("APPDATA") or str(Path.home() / ".config")
    return Path(folder) / "slopn" / "preferences.json"


def load(file: Path) -> Stored:
    """What is stored; the default of everything that isn't there, or isn't what it should be. Never raises."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MOST)
        return parse(raw)
    except OSError:
        return Stored()


def parse(raw: bytes) -> Stored:
    """The file's text, taken field by field: one of them that makes no sense spoils no other."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return Stored()
    return _sound(found, Stored)


def save(file: Path, stored: Stored) -> None:
    """Put it there in one step, for this user alone; whoever reads meanwhile gets the one or the other. Raises `OSError`."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic.write(file, msgspec.json.format(msgspec.json.encode(stored)) + b"\n")


def change(file: Path, **changed: Any) -> Stored:
    """Store other values of `Stored`'s fields, beside those that are there by now; what holds then. Raises `OSError`."""
    stored = msgspec.structs.replace(load(file), **changed)
    save(file, stored)
    return stored


def _sound(found: Any, kind: type[_T]) -> _T:
    """A struct of `kind` with each field of `found` that fits it."""
    if not isinstance(found, dict):
        return kind()
    fields = {}
    for field in msgspec.structs.fields(kind):
        if field.name not in found:
            continue
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            fields[field.name] = _sound(found[field.name], field.type)
            continue
        with contextlib.suppress(msgspec.ValidationError, ValueError):
            value = msgspec.convert(found[field.name], field.type)
            kind(**{field.name: value})  # may refuse what its type allows
            fields[field.name] = value
    return kind(**fields)
