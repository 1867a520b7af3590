"""The last lines of the log in a ring of bounded size, and those who read along.

Readers share the ring: each is a place in it, not a queue, so a slow one costs nothing and learns how much it missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from slopn_wire.codec import encode
from slopn_wire.logs import LogFilter, LogLevel, LogLine, Logs

RING_BYTES = 4 << 20
"""Of memory, or of a `Logs` reply with all of it: whichever is more. Far below the wire's limit."""
BATCH_BYTES = 64 << 10
"""About what one `Logs` of a reader is on the wire."""
_LINE_COST = 250
"""Bytes that a line needs beside its message: the struct, its numbers, its place."""
_FRAME_COST = 80
"""Bytes on the wire beside message and component."""
_PACE = 0.02
"""Seconds from one batch of a reader to the next one, if it has to wait: the first line comes at once, a flood in few
batches."""
_AT_ONCE = 2000
"""Lines that one reader looks at before others get their turn."""
_RANK = {str(level): rank for rank, level in enumerate(LogLevel)}


class LogStore:
    """The last lines. They may be added from any thread; `lines` and readers belong to event loops."""

    def __init__(self, limit: int = RING_BYTES) -> None:
        self.epoch = ""
        """The helper's run, as in `Snapshot.epoch`; whoever makes it sets it before anybody reads."""
        self._limit = limit
        self._size = 0
        self._lines: dict[int, LogLine] = {}
        self._first = 1
        self._next = 1
        self._gone_at = 0.0
        """Time of the newest line that fell out."""
        self._lock = threading.Lock()
        self._bells: dict[asyncio.AbstractEventLoop, _Bell] = {}

    def add(self, at: float, level: str, component: str, message: str) -> LogLine:
        """Give the line its number and keep it; the oldest beyond the limit (bytes) go."""
        with self._lock:
            line = LogLine(self._next, at, level, component, message)
            self._lines[line.number] = line
            self._next += 1
            self._size += _size(line)
            while self._size > self._limit:
                oldest = self._lines.pop(self._first)
                self._first += 1
                self._size -= _size(oldest)
                self._gone_at = max(self._gone_at, oldest.at)
            bells = tuple(self._bells.values()) if self._bells else ()
        for bell in bells:
            bell.ring()
        return line

    def lines(self, wanted: LogFilter | None = None, since: float = 0.0) -> Logs:
        """All that is kept and `wanted`, from Unix time `since` on, oldest first.

        `missed`: how many lines fell out of the ring before them; 0 when all of those were older than `since`.
        """
        matches = _matcher(wanted or LogFilter(), since)
        with self._lock:
            kept = tuple(self._lines.values())
            missed = self._first - 1 if self._gone_at >= since else 0
        return Logs(tuple(filter(matches, kept)), missed, self.epoch)

    def reader(self, wanted: LogFilter | None = None, since: float = 0.0, after: int = 0) -> LogReader:
        """Reads what is `wanted` of the lines numbered above `after`, from `since` on, and goes on as they come.

        A number that isn't reached yet belongs to another run of the helper, and counts as 0. Use it as a context.
        """
        if after >= self._next:
            after = 0
        return LogReader(self, _matcher(wanted or LogFilter(), since), since, after + 1)

    def read(self, place: int, limit: int) -> tuple[list[LogLine], int]:
        """At most `limit` lines from number `place` on, and the number of the oldest line that is kept."""
        with self._lock:
            begin = max(place, self._first)
            return [self._lines[number] for number in range(begin, min(begin + limit, self._next))], self._first

    def missed(self, place: int, since: float) -> int:
        """How many lines from number `place` on are gone; 0 when all of those were older than `since`."""
        with self._lock:
            return max(self._first - place, 0) if self._gone_at >= since else 0

    def join(self) -> _Bell:
        """What rings in the running loop when lines come; `leave` as often as you joined."""
        loop = asyncio.get_running_loop()
        with self._lock:
            for dead in [other for other in self._bells if other.is_closed()]:
                del self._bells[dead]
            bell = self._bells.setdefault(loop, _Bell(loop))
            bell.readers += 1
            return bell

    def leave(self, bell: _Bell) -> None:
        """The reverse of `join`."""
        with self._lock:
            bell.readers -= 1
            if not bell.readers:
                self._bells.pop(bell.loop, None)


class LogReader:
    """A place in the ring. Leaving the context ends it."""

    def __init__(self, store: LogStore, matches: Callable[[LogLine], bool], since: float, place: int) -> None:
        self._store = store
        self._matches = matches
        self._since = since
        self._place = place
        self._bell: _Bell | None = None
        self._ready_at = 0.0

    def __enter__(self) -> Self:
        self._bell = self._store.join()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bell is not None:
            self._store.leave(self._bell)
            self._bell = None

    async def batch(self) -> Logs:
        """Wait until there is a line that matches, then return all there are, up to some tens of kilobytes.

        `missed` counts those that fell out of the ring since the last batch, before this reader came to them; whether
        they would have matched nobody knows.
        """
        if self._bell is None:
            raise RuntimeError("a reader is used as a context")
        found: list[LogLine] = []
        size = missed = 0
        while True:
            news = self._bell.news
            lines, first = self._store.read(self._place, _AT_ONCE)
            if first > self._place:
                missed += self._store.missed(self._place, self._since)
                self._place = first
            for line in lines:
                self._place = line.number + 1
                if self._matches(line):
                    found.append(line)
                    size += len(line.message) + len(line.component) + _FRAME_COST
                    if size >= BATCH_BYTES:
                        return self._deliver(found, missed)
            if len(lines) == _AT_ONCE:
                await asyncio.sleep(0)
            elif found:
                return self._deliver(found, missed)
            else:
                await asyncio.shield(news)
                await asyncio.sleep(self._ready_at - self._bell.loop.time())

    def _deliver(self, found: list[LogLine], missed: int) -> Logs:
        if self._bell is not None:
            self._ready_at = self._bell.loop.time() + _PACE
        return Logs(tuple(found), missed, self._store.epoch)


class _Bell:
    """Wakes the readers of one loop: once for all of them, and once for all lines until the loop has its turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.readers = 0
        self._ringing = False
        self._news: asyncio.Future[None] = loop.create_future()

    @property
    def news(self) -> asyncio.Future[None]:
        """Done at the next ring. Take it before you look what there is; many wait for it, so await a shield of it."""
        return self._news

    def ring(self) -> None:
        """From any thread."""
        if not self._ringing:
            self._ringing = True
            # The loop may have been closed without its readers leaving.
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._ringing = False
        self._news.set_result(None)
        self._news = self.loop.create_future()


def _matcher(wanted: LogFilter, since: float) -> Callable[[LogLine], bool]:
    least, component, text = _RANK[wanted.level], wanted.component, wanted.text.casefold()
    below = f"{component}."

    def matches(line: LogLine) -> bool:
        return (
            _RANK.get(line.level, least) >= least
            and line.at >= since
            and (not component or line.component == component or line.component.startswith(below))
            and (not text or text in line.message.casefold())
        )

    return matches


def _size(line: LogLine) -> int:
    # On the wire a quote or a backslash takes two bytes: whoever can write such lines must not double what is sent.
    return max(sys.getsizeof(line.message), len(encode(line.message))) + _LINE_COST
