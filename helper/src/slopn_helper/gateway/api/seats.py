"""Who may hold a connection, pure: so many in all, so many of one source, and who must make room when all are taken.

Whoever opens connections and says nothing can fill any limit. So a newcomer is let in even then, as long as somebody
else waits in more of them than the newcomer has: the longest wait of whoever has most ends.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from slopn_wire.profile import IPNetwork


class Place(Struct, frozen=True):
    """What a newcomer gets."""

    seat: int | None
    """None: none."""
    leaves: int | None = None
    """Whose connection must be ended for it."""


class Seats:
    """The connections there are. `most`: in all; `each`: of one source."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._next = 0
        self._sources: dict[int, IPNetwork] = {}
        self._held: dict[IPNetwork, int] = {}
        self._waiting: dict[IPNetwork, OrderedDict[int, None]] = {}
        """Connections whose request isn't whole yet, by source, the longest wait first."""

    def take(self, source: IPNetwork) -> Place:
        """A connection was opened. Its seat is a waiting one."""
        mine = self._held.get(source, 0)
        if mine >= self._each:
            return Place(None)
        leaves = None
        if len(self._sources) >= self._most:
            leaves = self._longest(mine)
            if leaves is None:
                return Place(None)
            self.leave(leaves)
        self._next += 1
        self._sources[self._next] = source
        self._held[source] = self._held.get(source, 0) + 1
        self.wait(self._next)
        return Place(self._next, leaves)

    def wait(self, seat: int) -> None:
        """Nothing is being done for it: it may be ended for another's sake."""
        source = self._sources.get(seat)
        if source is not None:
            waiting = self._waiting.setdefault(source, OrderedDict())
            waiting.pop(seat, None)
            waiting[seat] = None

    def work(self, seat: int) -> None:
        """Its request is whole: it is not ended any more until it waits again."""
        source = self._sources.get(seat)
        if source is not None and (waiting := self._waiting.get(source)) is not None:
            waiting.pop(seat, None)
            if not waiting:
                del self._waiting[source]

    def leave(self, seat: int) -> None:
        """It is closed. Once more is no error."""
        self.work(seat)
        source = self._sources.pop(seat, None)
        if source is None:
            return
        self._held[source] -= 1
        if not self._held[source]:
            del self._held[source]

    @property
    def taken(self) -> int:
        """How many there are."""
        return len(self._sources)

    def _longest(self, mine: int) -> int | None:
        if not self._waiting:
            return None
        source = max(self._waiting, key=self._held.__getitem__)
        return next(iter(self._waiting[source])) if self._held[source] > mine else None
