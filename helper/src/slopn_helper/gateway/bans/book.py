"""Who has failed how often, and who is banned for how long. Pure: the time is handed in.

Failures are counted in a window that slides, by source. Each ban of a source that follows another one soon is longer.
What is remembered is bounded whoever comes: of the sources that were seen longest ago, the oldest are forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from msgspec import Struct

from slopn_helper.gateway.bans import Ban, By, Why
from slopn_helper.gateway.bans.sources import source_of
from slopn_wire.profile import IPAddress, IPNetwork

_GRACE = 2.0
"""Seconds in which what was already on its way from a banned source may still arrive."""


class Terms(Struct, frozen=True, kw_only=True):
    """When to ban, and for how long. All times in seconds."""

    failures: int = 5
    """So many within `window` are a ban."""
    window: float = 600.0
    first: float = 600.0
    """Of a source's first ban; each further one is `factor` times as long, up to `longest`."""
    factor: float = 4.0
    longest: float = 7 * 86400.0
    remembered: float = 86400.0
    """After its end a ban still lengthens the next one."""
    most_sources: int = 65536
    """Whose failures and past bans are remembered."""
    most_bans: int = 60000
    """At the same time; for one more, those that would end first are lifted. Less than the kernel's set holds."""


class Put(Struct, frozen=True):
    """Keep a source out; replaces its ban if there is one."""

    ban: Ban


class Remove(Struct, frozen=True):
    """Let a source in again."""

    source: IPNetwork


Change = Put | Remove


class _Past(Struct):
    """The end and the level of a source's last ban."""

    until: float
    level: int


class Book:
    """The counts and the bans. Every method that may change who is kept out returns what is to be done, in order."""

    def __init__(self, terms: Terms, allowed: Iterable[IPNetwork] = ()) -> None:
        self._terms = terms
        self._failures: OrderedDict[IPNetwork, list[float]] = OrderedDict()
        self._past: OrderedDict[IPNetwork, _Past] = OrderedDict()
        self._bans: dict[IPNetwork, Ban] = {}
        self._allowed = tuple(allowed)

    def __len__(self) -> int:
        """How many bans there are, some of which may have ended just now."""
        return len(self._bans)

    def allow(self, networks: Iterable[IPNetwork], now: float) -> list[Change]:
        """These are never banned, from now on, and no others; lifts their bans."""
        self._allowed = tuple(networks)
        return [change for ban in self.bans(now) if self.is_allowed(ban.source) for change in self.lift(ban.source)]

    def is_allowed(self, source: IPNetwork) -> bool:
        """Whether a ban of `source` would keep out somebody of the allow list."""
        return any(_overlap(source, allowed) for allowed in self._allowed)

    def failed(self, address: IPAddress, why: Why, now: float) -> list[Change]:
        """Count a failure whose address is proven."""
        source = source_of(address)
        ban = self._current(source, now)
        if ban is not None and now - ban.since < _GRACE:
            return []
        if self.is_allowed(source):
            return []
        times = self._count(source, now)
        if len(times) < self._terms.failures:
            return []
        del self._failures[source]
        if ban is not None:
            # So often it can only get through if somebody has lifted the ban behind our back.
            self._end(source, now)
        level = self._next_level(source, now)
        length = min(self._terms.longest, self._terms.first * self._terms.factor ** min(level - 1, 64))
        return self._put(Ban(source, By.GATEWAY, now, now + length, why, len(times), level), now)

    def add(self, source: IPNetwork, seconds: float | None, now: float) -> list[Change]:
        """An administrator's ban; None: until it is lifted. Raises `ValueError` for one of the allow list."""
        if self.is_allowed(source):
            raise ValueError(f"{source} is on the allow list")
        until = None if seconds is None else now + seconds
        return self._put(Ban(source, By.GATEWAY, now, until, Why.BY_HAND, None, 0), now)

    def lift(self, source: IPNetwork) -> list[Change]:
        """Let `source` in, and forget what it has done."""
        self._failures.pop(source, None)
        self._past.pop(source, None)
        return [] if self._bans.pop(source, None) is None else [Remove(source)]

    def adopt(self, bans: Iterable[Ban], now: float) -> list[Change]:
        """These are what the kernel has, no others: the truth after a start, and whenever it was looked at."""
        there = {ban.source: ban for ban in bans}
        for source in [source for source in self._bans if source not in there]:
            self._end(source, now)
        self._bans = there
        return [change for source in list(there) if self.is_allowed(source) for change in self.lift(source)]

    def bans(self, now: float) -> tuple[Ban, ...]:
        """In force at `now`; those that end first come first."""
        self._forget_ended(now)
        return tuple(sorted(self._bans.values(), key=_until))

    @property
    def remembered(self) -> int:
        """Sources that memory is spent on."""
        return len(self._failures) + len(self._past) + len(self._bans)

    def _count(self, source: IPNetwork, now: float) -> list[float]:
        # A clock that was set back must not count for ever what lies in its future.
        times = [at for at in self._failures.pop(source, ()) if now - self._terms.window < at <= now]
        times.append(now)
        self._failures[source] = times[-self._terms.failures :]
        if len(self._failures) > self._terms.most_sources:
            self._failures.popitem(last=False)
        return times

    def _next_level(self, source: IPNetwork, now: float) -> int:
        past = self._past.get(source)
        return 1 if past is None or now - past.until > self._terms.remembered else past.level + 1

    def _put(self, ban: Ban, now: float) -> list[Change]:
        changes: list[Change] = []
        if ban.source not in self._bans and len(self._bans) >= self._terms.most_bans:
            # A few at once: to look for them among sixty thousand takes milliseconds.
            most = self._terms.most_bans - 1 - self._terms.most_bans // 100
            standing = self.bans(now)
            for early in standing[: max(0, len(standing) - most)]:
                self._end(early.source, now)
                changes.append(Remove(early.source))
        self._bans[ban.source] = ban
        changes.append(Put(ban))
        return changes

    def _current(self, source: IPNetwork, now: float) -> Ban | None:
        ban = self._bans.get(source)
        if ban is not None and _until(ban) <= now:
            self._end(source, now)
            return None
        return ban

    def _end(self, source: IPNetwork, now: float) -> None:
        ban = self._bans.pop(source)
        if ban.level:
            self._past.pop(source, None)
            self._past[source] = _Past(min(_until(ban), now), ban.level)
            if len(self._past) > self._terms.most_sources:
                self._past.popitem(last=False)

    def _forget_ended(self, now: float) -> None:
        for source in [ban.source for ban in self._bans.values() if _until(ban) <= now]:
            self._end(source, now)


def _until(ban: Ban) -> float:
    return float("inf") if ban.until is None else ban.until


def _overlap(one: IPNetwork, other: IPNetwork) -> bool:
    return one.version == other.version and one.overlaps(other)
