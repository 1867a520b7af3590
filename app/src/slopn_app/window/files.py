"""Reading what the user chose and writing what they keep: by the user's own rights, regular files alone, never without an end."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from slopn_app.window import messages

LARGEST = 16 << 20
"""Bytes of one file: a picture of a QR code, a ZIP of profiles."""
MOST = 100
"""Files at once."""
_ALL = 48 << 20
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Unreadable(Exception):
    """A file that isn't read; the message says which and why, for people."""


def read(paths: Iterable[Path]) -> list[dict[str, str]]:
    """The files as the page takes them. Raises `Unreadable`: all of them, or none."""
    found: list[dict[str, str]] = []
    left = _ALL
    for path in paths:
        data = read_one(path)
        left -= len(data)
        if left < 0 or len(found) >= MOST:
            raise Unreadable("Those are too many files at once.")
        found.append(messages.picked(path.name, data))
    return found


def read_one(path: Path) -> bytes:
    """All of a regular file. A pipe or a device is opened without waiting for it, and refused. Raises `Unreadable`."""
    try:
        descriptor = os.open(path, _FLAGS)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable(f"{path.name} is no file that can be read.")
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a name of a file"
        raise Unreadable(f"{path.name} can't be read: {reason}.") from None
    if len(data) > LARGEST:
        raise Unreadable(f"{path.name} is too large: at most {LARGEST >> 20} MB.")
    return data


def plain_name(name: str) -> str:
    """A name that the page proposes, without folders and without what can't be in a file's name."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*').strip(" .")
    return kept[:150] or "slopn.txt"
