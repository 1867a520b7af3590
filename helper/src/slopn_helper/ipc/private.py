"""Files for their owner's eyes alone: read only if nobody else could have, and set aside when they are damaged."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from slopn_helper.files import make_directory, sync_directory, write_file
from slopn_helper.secrets import SecretError


class Exposed(Exception):
    """Others could read or exchange the file. The message says how, in words that end a sentence."""


def open_directory(path: Path, owner: int) -> bool:
    """Make `path` if need be, 0700. False: it was there, and open to others; it is closed now.

    Raises `SecretError` if it can't be made, or isn't a plain directory of `owner`'s.
    """
    try:
        make_directory(path)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner:
            raise SecretError(f"{path} is not a plain directory of user {owner}'s; keys are kept in such a one alone")
        if not status.st_mode & 0o077:
            return True
        path.chmod(0o700)
    except OSError as error:
        raise SecretError(f"{path} could not be made: {error.strerror}") from None
    return False


def read_private(path: Path, owner: int) -> bytes | None:
    """The file's content; None: there is none. Raises `Exposed`, and `SecretError` if it can't be read."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise Exposed(f"{path.name} was no plain file")
        if status.st_uid != owner:
            raise Exposed(f"{path.name} belonged to user {status.st_uid}")
        if status.st_mode & 0o077:
            raise Exposed(f"others could read {path.name}")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretError(f"{path} could not be read: {error.strerror}") from None


def write_private(path: Path, data: bytes) -> None:
    """Replace the file, 0600, whole after a crash. Raises `SecretError`; the old file stays then."""
    try:
        write_file(path, data)
    except OSError as error:
        raise SecretError(f"{path} could not be written: {error.strerror}") from None


def set_aside(path: Path) -> str:
    """Move what lies at `path` to `NAME.corrupt-N` beside it; returns that name. Raises `SecretError`."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.corrupt-{number}")):
        number += 1
    try:
        path.rename(aside)
        sync_directory(path.parent)
    except OSError as error:
        raise SecretError(f"{path} is damaged and could not be set aside: {error.strerror}") from None
    return aside.name
