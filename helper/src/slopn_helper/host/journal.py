"""Write-ahead inverses: before the host is changed, what undoes the change is on disk.

One JSON document a line, each with the boot it was written in. A line is appended and synced before the change is
made; lines are removed by replacing the whole file. So a crash at any moment leaves the inverse of everything that
was done, and at most one inverse of something that wasn't; inverses are therefore harmless when there is nothing to
undo.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from slopn_helper.files import sync_directory, why
from slopn_helper.host.inverses import (
    OUTLIVES_BOOT,
    DomainDns,
    Entry,
    FileWas,
    Inverse,
    NetworkManagerWas,
    RemoveAddresses,
    RemoveNftTable,
    RemoveRoutes,
    RemoveRules,
    ResolvconfRecord,
    ResolvedRevert,
    SysctlWas,
)

__all__ = [
    "OUTLIVES_BOOT",
    "DomainDns",
    "Entry",
    "FileWas",
    "Inverse",
    "Journal",
    "NetworkManagerWas",
    "RemoveAddresses",
    "RemoveNftTable",
    "RemoveRoutes",
    "RemoveRules",
    "ResolvconfRecord",
    "ResolvedRevert",
    "SysctlWas",
    "kernel_boot_id",
]

log = logging.getLogger(__name__)


class Journal:
    """The inverses on disk at `path`, oldest first, at most one a key.

    `boot_id` names this boot; by default the kernel's. Methods block for as long as the disk takes to sync. Where
    `record` and `replace` raise `OSError`, whose words name the file and say what to do, the change must not be made.
    """

    def __init__(self, path: Path, boot_id: str | None = None) -> None:
        self._path = path
        self._boot_id = kernel_boot_id() if boot_id is None else boot_id
        self._damage: list[str] = []
        self._entries: dict[str, _Line] = {}
        self._in_order = True
        """The file holds the entries and nothing else, so that lines can be appended."""
        self._name_synced = False
        """The name leads to this very file on the disk, too."""
        self._load()

    def record(self, *entries: Entry) -> None:
        """Put these on disk, in one go; afterwards the changes may be made.

        An entry whose key is already there is dropped: the first inverse is the true one, later ones would restore
        our own doing.
        """
        new = {e.key: _Line(self._boot_id, e) for e in entries if e.key not in self._entries}
        if new:
            with self._explained():
                self._append(new)

    def replace(self, entry: Entry) -> None:
        """As `record`, but this one is the true inverse from now on: the host itself changed beneath us."""
        with self._explained():
            self._rewrite(self._entries | {entry.key: _Line(self._boot_id, entry)})

    def forget(self, *keys: str) -> None:
        """Drop these after they were undone. Keys that aren't there are ignored.

        Raises nothing: an inverse that stays on a disk which can't be written finds nothing to undo, and goes with the
        next line that can be.
        """
        left = {key: line for key, line in self._entries.items() if key not in keys}
        if len(left) == len(self._entries):
            return
        try:
            # Should a power cut bring the old file back, its inverses find nothing to undo.
            self._rewrite(left, sync_name=False)
        except OSError as error:
            log.warning("%s can't be written, so it still has what is undone: %s", self._path, why(error))
            self._entries, self._in_order = left, False

    def entries(self) -> tuple[Entry, ...]:
        """All that isn't undone yet, oldest first."""
        return tuple(line.entry for line in self._entries.values())

    def find(self, key: str) -> Entry | None:
        """The entry of this key."""
        line = self._entries.get(key)
        return line.entry if line else None

    def damage(self) -> tuple[str, ...]:
        """One sentence for each part of the file that could not be read."""
        return tuple(self._damage)

    def _append(self, new: dict[str, _Line]) -> None:
        if not self._in_order:
            self._rewrite(self._entries | new)
            return
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            size = os.fstat(fd).st_size
            try:
                _write_all(fd, b"".join(map(_encode, new.values())))
                os.fsync(fd)
                self._sync_name()
            except OSError:
                self._in_order = False
                with contextlib.suppress(OSError):
                    os.ftruncate(fd, size)
                raise
        finally:
            os.close(fd)
        self._entries |= new

    def _load(self) -> None:
        # A disk that is full or read-only doesn't stop who only wants to undo; `record` refuses then.
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            self._put_in_order()
            return
        *lines, tail = data.split(b"\n")
        # A tail without its newline was being written in a crash: record() hadn't returned, nothing was changed.
        stale = bool(tail)
        for number, raw in enumerate(lines, 1):
            try:
                line = msgspec.json.decode(raw, type=_Line)
            except msgspec.MsgspecError as error:
                self._damage.append(f"{self._path}:{number}: this inverse can't be read and is not undone ({error})")
                continue
            if line.boot == self._boot_id or isinstance(line.entry, OUTLIVES_BOOT):
                self._entries.setdefault(line.entry.key, line)
            else:
                stale = True
        if self._damage:
            damaged = self._path.with_name(self._path.name + ".damaged")
            try:
                damaged.write_bytes(data)
                damaged.chmod(0o600)
            except OSError as error:
                log.error("%s can't be written: %s", damaged, error)  # noqa: TRY400 (the sentence says it)
                self._in_order = False
                return
            for sentence in self._damage:
                log.error("%s; the whole file is kept as %s", sentence, damaged.name)
        if self._damage or stale:
            self._put_in_order()

    def _put_in_order(self) -> None:
        try:
            self._rewrite(self._entries)
        except OSError as error:
            self._in_order = False
            log.warning("%s can't be written: %s", self._path, error)

    def _rewrite(self, entries: dict[str, _Line], *, sync_name: bool = True) -> None:
        temporary = self._path.with_name(f".{self._path.name}.new")
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write_all(fd, b"".join(map(_encode, entries.values())))
            os.fsync(fd)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        finally:
            os.close(fd)
        temporary.replace(self._path)
        self._name_synced = False
        if sync_name:
            self._sync_name()
        self._entries = dict(entries)
        self._in_order = True

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, why(error), str(self._path)) from error

    def _sync_name(self) -> None:
        """What is written to a file whose name a power cut takes back is lost with it."""
        if not self._name_synced:
            sync_directory(self._path.parent)
            self._name_synced = True


class _Line(Struct, frozen=True):
    boot: str
    entry: Entry


def kernel_boot_id() -> str:
    """What tells this run of the computer from others; empty where the kernel doesn't say."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _encode(line: _Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
