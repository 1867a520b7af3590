"""The last events, as frames for the wire, shared by all who read them: a reader is no more than a place in the ring.

So a reader that is slow, or reads nothing at all, costs the helper nothing, and falls out at the end of the ring.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import NamedTuple, Self

from slopn_wire.codec import encode
from slopn_wire.events import Event, Resumed, Snapshot
from slopn_wire.framing import frame

MOST_EVENTS = 4096
"""Some seconds of the busiest helper, more than an hour of a quiet one."""
MOST_BYTES = 4 << 20
BATCH = 1 << 16
"""Bytes that go to a reader at once, if not one event alone is larger."""


class Batch(NamedTuple):
    """Events that wait for a reader, as `ipc.Batch` says."""

    frames: bytes
    lagged: bool


class EventRing:
    """Holds the frames of the last events and wakes their readers. Belongs to one event loop."""

    def __init__(self, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._frames: list[bytes] = []
        # Places at the list's beginning whose frames have left the ring; cut off now and then, all at once.
        self._gone = 0
        self._size = 0
        self._last = 0
        self._joined: tuple[int, int, bytes] = (0, 0, b"")
        self.readers: set[Subscription] = set()

    def add(self, event: Event) -> None:
        """The newest event; its number is one above the last one's. The oldest ones make room."""
        payload = frame(encode(event))
        self._frames.append(payload)
        self._size += len(payload)
        self._last = event.seq
        while len(self._frames) - self._gone > 1 and self._is_full():
            self._size -= len(self._frames[self._gone])
            self._frames[self._gone] = b""
            self._gone += 1
        if self._gone > self._most_events:
            del self._frames[: self._gone]
            self._gone = 0
        for reader in self.readers:
            reader.wake.set()

    def has_all_after(self, seq: int, last: int) -> bool:
        """Whether every event from `seq` + 1 to `last`, the newest, is here."""
        return seq == last or (last == self._last and self._oldest() - 1 <= seq < last)

    def after(self, seq: int) -> tuple[bytes, int] | None:
        """Frames from event `seq` + 1 on, up to `BATCH` bytes, and the last one's number. None: some are gone."""
        if seq < self._oldest() - 1:
            return None
        if self._joined[0] == seq and self._joined[1] == self._last:
            return self._joined[2], self._last
        begin = len(self._frames) - (self._last - seq)
        size, end = 0, begin
        while end < len(self._frames) and (end == begin or size + len(self._frames[end]) <= BATCH):
            size += len(self._frames[end])
            end += 1
        upto = self._last - (len(self._frames) - end)
        # Most readers stand at the same place: what is joined for one is there for the next.
        self._joined = (seq, upto, b"".join(self._frames[begin:end]))
        return self._joined[2], upto

    @property
    def last(self) -> int:
        """Number of the newest event; 0 before the first."""
        return self._last

    def _oldest(self) -> int:
        return self._last - (len(self._frames) - self._gone) + 1

    def _is_full(self) -> bool:
        return len(self._frames) - self._gone > self._most_events or self._size > self._most_bytes


class Subscription:
    """One reader: see `ipc.Subscription`."""

    def __init__(self, ring: EventRing, first: Snapshot | Resumed, seq: int) -> None:
        self.first = first
        self.wake = asyncio.Event()
        self._ring = ring
        self._seq = seq
        ring.readers.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ring.readers.discard(self)

    async def batch(self) -> Batch:
        """Wait until there is an event, then return all there are, up to `BATCH` bytes."""
        while self._ring.last <= self._seq:
            self.wake.clear()
            await self.wake.wait()
        found = self._ring.after(self._seq)
        if found is None:
            self._ring.readers.discard(self)
            return Batch(b"", lagged=True)
        frames, self._seq = found
        return Batch(frames, lagged=False)
