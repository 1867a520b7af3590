"""Which address is lent next: pure arithmetic on one pool's free addresses.

Free addresses are kept as runs, so a pool of 2^64 costs what its gaps cost. Taking, giving back and asking are
O(log n) searches in the number of runs, and a move of pointers where a run is added or removed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network
from itertools import pairwise

from slopn_helper.gateway.types import Pool
from slopn_wire.profile import IPAddress, IPNetwork

MAX_LENT = 1 << 32
"""No more addresses of one pool are lent than this, counted from its beginning: it says how far an IPv6 pool is used."""


def gateway_address(network: IPNetwork) -> IPAddress:
    """The address that every gateway has inside this pool: the first after the network's own."""
    return network.network_address + 1


def usable(network: IPNetwork) -> tuple[int, int]:
    """First and last address that may be lent, as numbers; the last is below the first where there is none.

    Left out: the network's own (IPv6: the anycast of its routers, RFC 4291 2.6.1), the gateways', IPv4's broadcast.
    """
    first = int(network.network_address)
    last = first + min(network.num_addresses, MAX_LENT) - 1
    if isinstance(network, IPv4Network) and last == int(network.broadcast_address):
        last -= 1
    return first + 2, last


def overlapping(pools: Sequence[Pool]) -> tuple[Pool, Pool] | None:
    """Two pools with an address in common, or None."""
    ordered = sorted(pools, key=lambda pool: (pool.network.version, int(pool.network.network_address)))
    for one, other in pairwise(ordered):
        # A network holds another or has nothing of it, so neighbours in this order tell all.
        if one.network.version == other.network.version and other.network.network_address in one.network:
            return one, other
    return None


class FreeAddresses:
    """The addresses of a pool that nobody has. `taken` may name addresses outside of it: they are passed over."""

    def __init__(self, pool: Pool, taken: Iterable[IPAddress] = ()) -> None:
        self.pool = pool
        version = pool.network.version
        self._low, self._high = usable(pool.network)
        held = {int(each) for each in (*pool.reserved, *taken) if each.version == version}
        self._reserved = {int(each) for each in pool.reserved if each.version == version}
        self._starts: list[int] = []
        self._ends: list[int] = []
        start = self._low
        for each in sorted(number for number in held if self._low <= number <= self._high):
            if start < each:
                self._starts.append(start)
                self._ends.append(each - 1)
            start = each + 1
        if start <= self._high:
            self._starts.append(start)
            self._ends.append(self._high)
        self._count = sum(end - begin + 1 for begin, end in zip(self._starts, self._ends, strict=True))

    def __len__(self) -> int:
        return self._count

    def __contains__(self, address: IPAddress) -> bool:
        return address.version == self.pool.network.version and self._run_of(int(address)) is not None

    def runs(self) -> Sequence[tuple[int, int]]:
        """The free runs, first and last number of each, ascending and never touching."""
        return tuple(zip(self._starts, self._ends, strict=True))

    def next(self) -> IPAddress | None:
        """The lowest free address, which stays free; None: there is none."""
        return self._address(self._starts[0]) if self._starts else None

    def take(self, address: IPAddress) -> bool:
        """Hold an address. False: it was not free."""
        if address.version != self.pool.network.version:
            return False
        number = int(address)
        at = self._run_of(number)
        if at is None:
            return False
        self._count -= 1
        start, end = self._starts[at], self._ends[at]
        if start == end:
            del self._starts[at], self._ends[at]
        elif number == start:
            self._starts[at] = number + 1
        elif number == end:
            self._ends[at] = number - 1
        else:
            self._starts.insert(at + 1, number + 1)
            self._ends.insert(at, number - 1)
        return True

    def give_back(self, address: IPAddress) -> bool:
        """Let go of an address. False: it is none that is lent, or was free already."""
        number = int(address)
        if address.version != self.pool.network.version or not self._low <= number <= self._high:
            return False
        if number in self._reserved or self._run_of(number) is not None:
            return False
        self._count += 1
        at = bisect_right(self._starts, number)
        after = at > 0 and self._ends[at - 1] == number - 1
        before = at < len(self._starts) and self._starts[at] == number + 1
        if after and before:
            self._ends[at - 1] = self._ends[at]
            del self._starts[at], self._ends[at]
        elif after:
            self._ends[at - 1] = number
        elif before:
            self._starts[at] = number
        else:
            self._starts.insert(at, number)
            self._ends.insert(at, number)
        return True

    def _run_of(self, number: int) -> int | None:
        at = bisect_right(self._starts, number) - 1
        return at if at >= 0 and number <= self._ends[at] else None

    def _address(self, number: int) -> IPAddress:
        # By the number alone an IPv6 address below 2^32 would become an IPv4 one.
        base = self.pool.network.network_address
        return base + (number - int(base))
