"""Files that the set-up has put on this machine: each is noted with its content before it is written.

So what an administrator has changed, or had there before, is never replaced or removed; and all else can be taken away.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from slopn_helper.files import make_directory, remove_file, why, write_file

NAME = "installed.json"
"""The file's name in the state directory."""


class InstallError(Exception):
    """A file can't be put or taken away; the sentence says which and why."""


class Put(StrEnum):
    """What came of it."""

    MADE = "made"
    SAME = "same"
    """It was there already, just so."""
    FOREIGN = "foreign"
    """Another is there, not as we left it: it stays."""


class _Note(Struct, frozen=True, forbid_unknown_fields=True):
    digests: dict[str, tuple[str, ...]]
    """By path: SHA-256 of what was written there, or was about to be."""


class Installed:
    """The notes in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digests = _read(path)

    def paths(self) -> tuple[Path, ...]:
        """All that may be there."""
        return tuple(map(Path, self._digests))

    def put(self, path: Path, text: str, mode: int = 0o644) -> Put:
        """Have `path` say `text`, readable as `mode` says. Raises `InstallError`."""
        data = text.encode()
        try:
            there = path.read_bytes() if path.exists() else None
            if there == data:
                return Put.SAME
            before = self._digests.get(str(path), ())
            if there is not None and _digest(there) not in before:
                return Put.FOREIGN
            known = () if there is None else (_digest(there),)
            self._note(path, (*known, _digest(data)))
            make_directory(path.parent)
            write_file(path, data)
            path.chmod(mode)
        except OSError as error:
            raise InstallError(f"{path} can't be written: {why(error)}.") from None
        return Put.MADE

    def take(self, path: Path) -> bool:
        """Take `path` away if it is as we left it. False: it isn't there, or isn't ours. Raises `InstallError`."""
        try:
            ours = path.exists() and _digest(path.read_bytes()) in self._digests.get(str(path), ())
            if ours:
                remove_file(path)
            if str(path) in self._digests:
                self._note(path, ())
        except OSError as error:
            raise InstallError(f"{path} can't be removed: {why(error)}.") from None
        return ours

    def _note(self, path: Path, digests: tuple[str, ...]) -> None:
        self._digests.pop(str(path), None)
        if digests:
            self._digests[str(path)] = digests
        make_directory(self._path.parent)
        write_file(self._path, msgspec.json.encode(_Note(self._digests)))


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _read(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Note).digests
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InstallError(f"{path} can't be read: {why(error)}.") from None
    except msgspec.DecodeError:
        raise InstallError(f"{path} is damaged: remove it; files that it named then count as your own.") from None
