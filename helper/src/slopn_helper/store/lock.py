"""One helper at a time: a locked file that names the process which holds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any


class StateLocked(Exception):
    """Another process holds the state directory."""

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(f"{path.parent} is in use by process {pid}")
        self.pid = pid


class StateLock:
    """flock(2) on a file that holds its holder's number.

    Taking the lock and asking for its holder exclude each other by a lock on the directory, so nobody ever reads the
    number of a process that held it before, nor keeps another from starting by asking.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, *, unwritten: bool = False) -> None:
        """Hold the lock until `release`, or until this process ends in any way. Raises `StateLocked`, `OSError`.

        `unwritten`: also on a disk that is full or read-only, where the file can't name its holder.
        """
        if self._descriptor is not None:
            return
        with self._alone():
            descriptor = self._open(unwritten=unwritten)
            if descriptor is None:
                return
            if not _locked_now(descriptor):
                pid = _pid_in(descriptor)
                os.close(descriptor)
                raise StateLocked(self._path, pid)
            try:
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
            except OSError:
                if not unwritten:
                    os.close(descriptor)
                    raise
            self._descriptor = descriptor

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
            with self._alone():
                descriptor = os.open(self._path, os.O_RDWR)
                try:
                    return None if _locked_now(descriptor) else _pid_in(descriptor)
                finally:
                    os.close(descriptor)
        except FileNotFoundError:
            return None

    def _open(self, *, unwritten: bool) -> int | None:
        """The file's descriptor; None: there is no file, and none can be made, so nobody can hold it."""
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            if not unwritten:
                raise
            with suppress(FileNotFoundError):
                return os.open(self._path, os.O_RDONLY)
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            _fcntl().flock(directory, _fcntl().LOCK_EX)
            yield
        finally:
            os.close(directory)


def _locked_now(descriptor: int) -> bool:
    try:
        _fcntl().flock(descriptor, _fcntl().LOCK_EX | _fcntl().LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid_in(descriptor: int) -> int | None:
    text = os.read(descriptor, 20)
    return int(text) if text.isdigit() and _has_open(int(text), descriptor) else None


def _has_open(pid: int, descriptor: int) -> bool:
    """Whether process `pid` has this file open, as far as /proc tells: a number that couldn't be written is an old one."""
    try:
        theirs = [Path(f"/proc/{pid}/fd", name) for name in os.listdir(f"/proc/{pid}/fd")]  # noqa: PTH208 - names
    except FileNotFoundError:
        return not Path("/proc/self/fd").exists()
    ours = os.fstat(descriptor)
    for entry in theirs:
        with suppress(OSError):
            if os.path.samestat(entry.stat(), ours):
                return True
    return False


def _fcntl() -> Any:
    # POSIX alone has it: found at run time, so that types can be checked for Windows too.
    return import_module("fcntl")
