"""How much is asked at once, pure: requests and connections a second of one source, requests in hand of all."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from slopn_wire.profile import IPNetwork


class Share(Struct, frozen=True):
    """What one source may do: so often at once, and so much more a second."""

    burst: float
    rate: float


class Limits(Struct, frozen=True, kw_only=True):
    """The defaults are for people: an office behind one address enrols a class of thirty at once.

    A source is an IPv4 address, or the /64 of an IPv6 one.
    """

    connections: int = 256
    """In all; TLS takes some 70 KB for each."""
    connections_each: int = 32
    """Of one source."""
    visits: Share = Share(60.0, 5.0)
    """Connections that a source may open: each costs a handshake, which is dearer than all that may come after it."""
    requests: Share = Share(120.0, 20.0)
    """That a source may ask: an enrolment takes two."""
    in_hand: int = 64
    """Requests that are being answered."""


class _Budget(Struct):
    left: float
    at: float


class Shares:
    """What each source has left. Of those seen longest ago nothing is remembered: bounded whoever comes."""

    def __init__(self, share: Share, most: int = 8192) -> None:
        self._share = share
        self._most = most
        self._budgets: OrderedDict[IPNetwork, _Budget] = OrderedDict()

    def take(self, source: IPNetwork, now: float) -> float | None:
        """Once more, at `now` (seconds of any clock that never jumps). None: it may; else it may in so many seconds."""
        budget = self._budgets.pop(source, None) or _Budget(self._share.burst, now)
        self._budgets[source] = budget
        if len(self._budgets) > self._most:
            self._budgets.popitem(last=False)
        budget.left = min(self._share.burst, budget.left + max(0.0, now - budget.at) * self._share.rate)
        budget.at = now
        if budget.left < 1.0:
            return (1.0 - budget.left) / self._share.rate
        budget.left -= 1.0
        return None

    @property
    def remembered(self) -> int:
        """Sources that memory is spent on."""
        return len(self._budgets)


class Hands:
    """Requests that are being answered, at most so many at once."""

    def __init__(self, most: int) -> None:
        self._free = most

    def begin(self) -> bool:
        """Take one in hand. False: there are too many, and nothing is to be ended for this one."""
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    def end(self) -> None:
        """One was answered, whatever came of it."""
        self._free += 1
