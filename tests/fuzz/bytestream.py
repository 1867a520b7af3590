"""Cuts an input of a fuzzer into what a target wants to know: numbers first, then pieces of text or bytes."""

from __future__ import annotations


class Feed:
    """Reads an input from its front. Where there is no more, numbers are 0 and pieces are empty."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def __bool__(self) -> bool:
        """Whether there is more."""
        return len(self._data) > 0

    def number(self, most: int) -> int:
        """From 0 to `most`, of as few bytes as that takes."""
        raw = self.take((most.bit_length() + 7) // 8)
        return int.from_bytes(raw, "little") % (most + 1)

    def take(self, count: int) -> bytes:
        """The next bytes."""
        raw, self._data = bytes(self._data[:count]), self._data[count:]
        return raw

    def piece(self) -> bytes:
        """Some of the next bytes: the first says how many."""
        return self.take(self.number(255))

    def text(self) -> str:
        """A piece, as text of any characters."""
        return self.piece().decode("utf-8", errors="replace")

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))
