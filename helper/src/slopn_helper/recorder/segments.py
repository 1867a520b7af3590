"""Two files on disk that are one ring: when one is full, the other is begun anew.

Lines are appended by one write each and not synced: they survive the process's death at any moment, and of a computer's
death the last seconds are lost. What a full disk or a crash cut off is the file's end at most.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from slopn_helper.files import make_directory

LIMIT = 384 << 10
"""Bytes of one of the two files."""
_NUMBER = re.compile(rb'^\{"n":(\d{1,15}),', re.MULTILINE)
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Segments:
    """The ring in `directory`, which is made when the first line is written. Used by one thread at a time."""

    def __init__(self, directory: Path, limit: int = LIMIT) -> None:
        self._paths = (directory / "a.jsonl", directory / "b.jsonl")
        self._limit = limit
        self._descriptor = -1
        self._size = 0
        numbers = [_numbers(path) for path in self._paths]
        self.last = max((found[-1] for found in numbers if found), default=0)
        """Number of the last line that an earlier process wrote; 0: none."""
        first = [found[0] if found else 0 for found in numbers]
        self._current = 1 if first[1] > first[0] else 0

    def has_room(self, size: int) -> bool:
        """Whether a line of `size` bytes goes into the file that was written to last. Raises `OSError`."""
        if self._descriptor < 0:
            self._open(0)
        return self._size + size <= self._limit

    def turn(self) -> None:
        """Begin the other file anew; its lines, the oldest, are gone. Raises `OSError`."""
        self.close()
        self._current = 1 - self._current
        self._open(os.O_TRUNC)

    def append(self, line: bytes) -> None:
        """Raises `OSError`: then nothing of the line is there, or half of it at the very end."""
        if self._descriptor < 0:
            self._open(0)
        written = 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            self.close()
            raise
        self._size += written

    def read(self) -> bytes:
        """All lines, oldest first."""
        older, newer = _content(self._paths[1 - self._current]), _content(self._paths[self._current])
        return older + (b"\n" if older and not older.endswith(b"\n") else b"") + newer

    def close(self) -> None:
        """Until the next line."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, flags: int) -> None:
        path = self._paths[self._current]
        make_directory(path.parent)
        self._descriptor = os.open(path, _FLAGS | flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size
        if self._size and not _content(path).endswith(b"\n"):
            self.append(b"\n")


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in _NUMBER.findall(_content(path))]


def _content(path: Path) -> bytes:
    """What is there; nothing when it can't be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
