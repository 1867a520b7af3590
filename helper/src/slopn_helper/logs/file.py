"""The log in a file: JSON lines, readable by their owner alone, a bounded number of files of bounded size.

What a full disk cuts off is taken back, so that each line is whole; a killed helper's last one is ended by the next.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

LIMIT = 4 << 20
"""Bytes of one file."""
COUNT = 4
"""Files that are kept: `helper.log`, `helper.log.1`, …"""
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class RotatedFile:
    """`path` and its elder brothers. Used by one thread at a time. Raises `OSError` when it can't be opened."""

    def __init__(self, path: Path, limit: int = LIMIT, count: int = COUNT) -> None:
        self._path = path
        self._limit = limit
        self._count = count
        self._descriptor = -1
        self._size = 0
        self._regular = True
        self._open()

    def write(self, lines: Sequence[str]) -> None:
        """Append whole lines, line ends included. Raises `OSError` on a full disk; those before the failure are there."""
        pending: list[bytes] = []
        size = 0
        for line in lines:
            raw = line.encode("utf-8", "backslashreplace")
            if self._regular and self._size + size and self._size + size + len(raw) > self._limit:
                self._append(b"".join(pending))
                pending, size = [], 0
                self._rotate()
            pending.append(raw)
            size += len(raw)
        self._append(b"".join(pending))

    def close(self) -> None:
        """No more writing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, data: bytes) -> None:
        if self._descriptor < 0:
            self._open()
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:
            written = data[: len(data) - len(view)]
            whole = written.rfind(b"\n") + 1
            if self._regular and whole < len(written):
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, self._size + whole)
            self._size += whole
            raise
        self._size += len(data)

    def _rotate(self) -> None:
        self.close()
        for number in range(self._count - 1, 0, -1):
            elder = self._name(number)
            with contextlib.suppress(FileNotFoundError):
                self._name(number - 1).replace(elder)
        if self._count == 1:
            self._path.unlink(missing_ok=True)
        self._open()

    def _name(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path

    def _open(self) -> None:
        self._descriptor = os.open(self._path, _FLAGS, 0o600)
        status = os.fstat(self._descriptor)
        self._regular = stat.S_ISREG(status.st_mode)
        self._size = status.st_size if self._regular else 0
        if self._regular and os.chmod in os.supports_fd:
            os.chmod(self._descriptor, 0o600)  # noqa: PTH101 - the file that was opened, whatever its path is by now
        if self._size and self._last() != b"\n":
            self._append(b"\n")

    def _last(self) -> bytes:
        os.lseek(self._descriptor, -1, os.SEEK_END)
        return os.read(self._descriptor, 1)
