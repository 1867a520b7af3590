"""One helper at a time: a locked file that names the process which holds it."""

from __future__ import annotations

import os
import time
from importlib import import_module
from pathlib import Path
from secrets import token_hex

_PATIENCE = 0.5
"""Seconds to wait for a lock: `holder` takes it for an instant to see whether it is free."""


class StateLocked(Exception):
    """Another process holds the state directory."""

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(f"{path.parent} is in use by process {pid}")
        self.pid = pid


class StateLock:
    """flock(2) on a file that is made anew, with its holder's number in it, before it takes the lock's name.

    So whoever finds the file locked reads the number of the process that holds it, never of one before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Hold the lock until `release`, or until this process ends in any way. Raises `StateLocked`, `OSError`."""
        deadline = time.monotonic() + _PATIENCE
        while self._descriptor is None:
            descriptor = self._try_acquire()
            if descriptor is not None:
                self._descriptor = descriptor
            elif time.monotonic() > deadline:
                raise StateLocked(self._path, self.holder())
            else:
                time.sleep(0.01)

    def release(self) -> None:
        """Let go of the lock. Without effect if it isn't held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """The process that holds the lock; None: nobody does."""
        if self._descriptor is not None:
            return os.getpid()
        try:
            descriptor = os.open(self._path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            if _flock(descriptor):
                return None
            return int(os.read(descriptor, 32) or b"0") or None
        finally:
            os.close(descriptor)

    def _try_acquire(self) -> int | None:
        # The old file's lock is held while ours takes its place: of two that try, one fails here.
        old = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _flock(old) or not _same_file(old, self._path):
                return None
            return self._take_place()
        finally:
            os.close(old)

    def _take_place(self) -> int:
        temporary = self._path.with_name(f".tmp-{token_hex(8)}")
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, str(os.getpid()).encode())
            _flock(descriptor)
            temporary.replace(self._path)
        except BaseException:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise
        return descriptor


def _flock(descriptor: int) -> bool:
    # POSIX only; looked up at run time so that the types check for Windows too.
    fcntl = import_module("fcntl")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
