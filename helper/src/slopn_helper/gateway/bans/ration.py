"""How many lines a source gets in the log, so that no flood fills it and each source's first lines are there. Pure."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from slopn_wire.profile import IPNetwork


class Share(Struct, frozen=True, kw_only=True):
    """The most lines in a `period` of seconds."""

    each: int = 20
    """Of one source: several times what a ban needs."""
    together: int = 1000
    period: float = 60.0
    most_sources: int = 65536


class _Spoken(Struct):
    """One source's lines in this period, and its refusals since the last line."""

    lines: int = 0
    more: int = 0


class Ration:
    """Who may speak. Periods follow each other without a gap."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._begun = float("-inf")
        self._together = 0
        self._sources: OrderedDict[IPNetwork, _Spoken] = OrderedDict()

    def take(self, source: IPNetwork, now: float) -> int | None:
        """How many refusals went without a line since this source's last one; None: this one goes without, too."""
        if not 0.0 <= now - self._begun < self._share.period:
            self._begun = now
            self._together = 0
            # What is still to be told stays.
            left = [(source, _Spoken(more=spoken.more)) for source, spoken in self._sources.items() if spoken.more]
            self._sources = OrderedDict(left)
        spoken = self._sources.setdefault(source, _Spoken())
        self._sources.move_to_end(source)
        if len(self._sources) > self._share.most_sources:
            self._sources.popitem(last=False)
        if spoken.lines >= self._share.each or self._together >= self._share.together:
            spoken.more += 1
            return None
        spoken.lines += 1
        self._together += 1
        more, spoken.more = spoken.more, 0
        return more
