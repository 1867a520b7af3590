"""How much is asked at once, pure: requests a second of one source, and requests in hand of all. Time is passed in."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from slopn_wire.profile import IPNetwork


class Limits(Struct, frozen=True, kw_only=True):
    """The defaults are for people: an office behind one address enrols a class of thirty at once."""

    connections: int = 256
    """In all; asyncio's TLS takes 256 KiB for each."""
    connections_each: int = 32
    """Of one source: an IPv4 address, or the /64 of an IPv6 one."""
    in_hand: int = 64
    """Requests that are being answered."""
    burst: int = 120
    """Requests of one source at once; an enrolment takes two."""
    rate: float = 20.0
    """And so many more a second."""
    most_sources: int = 8192
    """That are remembered; of the others nothing is known against them."""


class _Budget(Struct):
    left: float
    at: float


class Admission:
    """Who may ask now."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._budgets: OrderedDict[IPNetwork, _Budget] = OrderedDict()
        self._in_hand = 0

    def ask(self, source: IPNetwork, now: float) -> float | None:
        """One request. None: it may go on; else in so many seconds another one may."""
        limits = self._limits
        budget = self._budgets.pop(source, None) or _Budget(limits.burst, now)
        self._budgets[source] = budget
        if len(self._budgets) > limits.most_sources:
            self._budgets.popitem(last=False)
        budget.left = min(limits.burst, budget.left + max(0.0, now - budget.at) * limits.rate)
        budget.at = now
        if budget.left < 1.0:
            return (1.0 - budget.left) / limits.rate
        budget.left -= 1.0
        return None

    def begin(self) -> bool:
        """Take a request in hand. False: there are too many; nothing is to be ended then."""
        if self._in_hand >= self._limits.in_hand:
            return False
        self._in_hand += 1
        return True

    def end(self) -> None:
        """It was answered, whatever came of it."""
        self._in_hand -= 1

    @property
    def remembered(self) -> int:
        """Sources that memory is spent on."""
        return len(self._budgets)
