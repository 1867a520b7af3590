"""One view of both: the built-in bans and Fail2Ban's, listed, added and lifted in one place.

It stands on the kernel and on Fail2Ban's socket alone, so that it works whether or not the gateway runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from slopn_helper.gateway.bans import Ban, BansError, By, Why
from slopn_helper.gateway.bans.book import Put, Remove
from slopn_helper.gateway.bans.edge import Edge
from slopn_wire.profile import IPNetwork


class Jail(Protocol):
    """What we use of `fail2ban.Fail2Ban`."""

    def is_there(self) -> bool:
        """Whether there is anybody to ask."""

    def bans(self) -> tuple[Ban, ...]:
        """In force. Raises `BansError`."""

    def lift(self, source: IPNetwork) -> bool:
        """Lift every ban within `source`; whether there was one. Raises `BansError`."""


class Listing(Struct, frozen=True):
    """Who is kept out."""

    bans: tuple[Ban, ...]
    """Those that end first come first."""
    problems: tuple[str, ...] = ()
    """Sentences: what couldn't be asked. Then there may be more bans than these."""


class Lifted(Struct, frozen=True):
    """Who had banned, and has let in again."""

    by: tuple[By, ...]
    problems: tuple[str, ...] = ()


class BansView:
    """Both kinds of bans. `clock`: Unix time."""

    def __init__(self, edge: Edge, fail2ban: Jail, clock: Callable[[], float]) -> None:
        self._edge = edge
        self._fail2ban = fail2ban
        self._clock = clock

    def list(self) -> Listing:
        """All bans. One side that can't be asked hides nothing of the other."""
        bans: list[Ban] = []
        problems: list[str] = []
        try:
            held = self._edge.read(self._clock())
            bans += () if held is None else held.bans
        except BansError as error:
            problems.append(str(error))
        try:
            bans += self._fail2ban.bans() if self._fail2ban.is_there() else ()
        except BansError as error:
            problems.append(str(error))
        bans.sort(key=lambda ban: float("inf") if ban.until is None else ban.until)
        return Listing(tuple(bans), tuple(problems))

    def add(self, source: IPNetwork, seconds: float | None) -> Ban:
        """Ban `source` by the built-in bans, at once. Raises `ValueError` for one of the allow list, `BansError`."""
        now = self._clock()
        held = self._edge.read(now)
        if held is None:
            raise BansError("there is no table of bans: the gateway hasn't run yet")
        if any(allowed.version == source.version and allowed.overlaps(source) for allowed in held.allowed):
            raise ValueError(f"{source} is on the allow list")
        ban = Ban(source, By.GATEWAY, now, None if seconds is None else now + seconds, Why.BY_HAND, None, 0)
        self._edge.apply([Put(ban)], now)
        return ban

    def lift(self, source: IPNetwork) -> Lifted:
        """Lift every ban of `source`, whoever has set it. Nothing to lift is no error: `by` is empty."""
        by: list[By] = []
        problems: list[str] = []
        try:
            held = self._edge.read(self._clock())
            if held is not None and any(ban.source == source for ban in held.bans):
                self._edge.apply([Remove(source)], self._clock())
                by.append(By.GATEWAY)
        except BansError as error:
            problems.append(str(error))
        try:
            if self._fail2ban.is_there() and self._fail2ban.lift(source):
                by.append(By.FAIL2BAN)
        except BansError as error:
            problems.append(str(error))
        return Lifted(tuple(by), tuple(problems))
