"""Length-prefixed frames, sans-IO: four bytes of length, big endian, then that many bytes of JSON."""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAX_REQUEST = 1 << 20
"""Largest frame a client may send, in bytes: a `.conf` file with room to spare."""
MAX_MESSAGE = 16 << 20
"""Largest frame the helper sends, in bytes."""
HEADER = struct.Struct("!I")
"""What stands in front of each frame: its length."""


class FrameTooLarge(ValueError):
    """The peer announced a frame above the limit; the connection can't go on."""


def frame(payload: bytes) -> bytes:
    """`payload` with its length in front."""
    return HEADER.pack(len(payload)) + payload


class Deframer:
    """Cuts a byte stream into frames. One object a connection and direction."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add received bytes; yields the payload of each frame that is whole. Raises `FrameTooLarge`."""
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            (length,) = HEADER.unpack_from(self._buffer)
            if length > self._limit:
                raise FrameTooLarge(f"a frame of {length} bytes; at most {self._limit} are allowed")
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            yield self._cut(end)

    def _cut(self, end: int) -> bytes:
        """Take the first frame out. A variable of the generator would keep it for as long as the reader is busy with it."""
        payload = bytes(self._buffer[HEADER.size : end])
        del self._buffer[:end]
        return payload
