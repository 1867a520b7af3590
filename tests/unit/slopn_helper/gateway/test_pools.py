from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from slopn_helper.gateway.pools import MAX_LENT, FreeAddresses, gateway_address, overlapping, usable
from slopn_helper.gateway.types import Pool
from slopn_wire.profile import IPAddress


def pool(network: str, *reserved: str, name: str = "p") -> Pool:
    """A pool in words."""
    parse = IPv6Address if ":" in network else IPv4Address
    return Pool(name, ip_network(network), tuple(map(parse, reserved)))


def drain(free: FreeAddresses) -> list[IPAddress]:
    """Take all there is."""
    taken = []
    while (address := free.next()) is not None:
        assert free.take(address)
        taken.append(address)
    return taken


@pytest.mark.parametrize(
    ("network", "reserved", "expected"),
    [
        ("10.0.0.0/29", [], ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]),
        ("10.0.0.0/29", ["10.0.0.3", "10.0.0.6"], ["10.0.0.2", "10.0.0.4", "10.0.0.5"]),
        ("10.0.0.0/30", [], ["10.0.0.2"]),
        ("10.0.0.0/31", [], []),
        ("10.0.0.0/32", [], []),
        ("fd00::/126", [], ["fd00::2", "fd00::3"]),
        ("fd00::/127", [], []),
        ("::/126", [], ["::2", "::3"]),
    ],
)
def test_what_a_pool_holds(network: str, reserved: list[str], expected: list[str]) -> None:
    """All but the network's own address, the gateways', IPv4's broadcast and what is reserved, lowest first."""
    free = FreeAddresses(pool(network, *reserved))
    assert len(free) == len(expected)
    assert list(map(str, drain(free))) == expected
    assert len(free) == 0


def test_the_gateways_address() -> None:
    """It is the first, and never lent."""
    network = IPv4Network("10.7.0.0/24")
    assert gateway_address(network) == IPv4Address("10.7.0.1")
    assert gateway_address(network) not in FreeAddresses(Pool("p", network))


def test_a_large_pool_costs_nothing() -> None:
    """A /64 is one run, cut off where it no longer matters."""
    network = IPv6Network("fd12:3456:789a::/64")
    free = FreeAddresses(Pool("p", network))
    assert len(free.runs()) == 1
    assert usable(network) == (int(network[2]), int(network[MAX_LENT - 1]))
    assert network[MAX_LENT] not in free


def test_other_addresses_are_no_business_of_a_pool() -> None:
    """Neither another family nor another network is taken or given back."""
    free = FreeAddresses(pool("10.0.0.0/24"), [IPv6Address(int(IPv4Address("10.0.0.9"))), IPv4Address("10.9.0.9")])
    assert len(free) == 253
    for stranger in (IPv6Address(int(IPv4Address("10.0.0.9"))), IPv4Address("10.0.1.1"), IPv4Address("10.0.0.1")):
        assert stranger not in free
        assert not free.take(stranger)
        assert not free.give_back(stranger)
    assert len(free) == 253


def test_a_reserved_address_is_never_given_back() -> None:
    """It would be lent next."""
    free = FreeAddresses(pool("10.0.0.0/24", "10.0.0.7"))
    assert not free.give_back(IPv4Address("10.0.0.7"))
    assert IPv4Address("10.0.0.7") not in free


@pytest.mark.parametrize(
    ("networks", "clash"),
    [
        (["10.0.0.0/24", "10.0.1.0/24", "fd00::/64"], None),
        (["10.0.1.0/24", "10.0.0.0/16"], {"10.0.1.0/24", "10.0.0.0/16"}),
        (["10.0.0.0/24", "10.0.0.0/24"], {"10.0.0.0/24"}),
        (["::/8", "0.0.0.0/8"], None),
        ([], None),
    ],
)
def test_overlapping(networks: list[str], clash: set[str] | None) -> None:
    """Two pools with an address in common are found in any order."""
    found = overlapping([pool(network) for network in networks])
    assert (found and {str(each.network) for each in found}) == clash


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), max_size=6))
def test_overlapping_as_ipaddress_says(parts: list[tuple[int, int]]) -> None:
    """The quick search finds an overlap exactly where comparing all pairs does."""
    pools = [
        Pool(str(at), IPv4Network((int(IPv4Address("10.0.0.0")) + last, length), strict=False))
        for at, (last, length) in enumerate(parts)
    ]
    pairs = [(a, b) for at, a in enumerate(pools) for b in pools[:at] if a.network.overlaps(b.network)]
    assert (overlapping(pools) is not None) == bool(pairs)


class AgainstASet(RuleBasedStateMachine):
    """Runs against the simplest thing that could be right: a set of all free addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = pool("10.0.0.0/26", "10.0.0.9", "10.0.0.10", "10.0.0.62")
        lent = {self.pool.network[at] for at in range(2, 63)} - set(self.pool.reserved)
        self.lendable = frozenset(lent)
        self.expected: set[IPAddress] = set(lent)
        self.free = FreeAddresses(self.pool)

    @rule(at=st.integers(0, 63))
    def take(self, at: int) -> None:
        """One address is taken exactly if it is free."""
        address = self.pool.network[at]
        assert self.free.take(address) == (address in self.expected)
        self.expected.discard(address)

    @rule(at=st.integers(0, 63))
    def give_back(self, at: int) -> None:
        """One address is given back exactly if it was lent."""
        address = self.pool.network[at]
        assert self.free.give_back(address) == (address in self.lendable - self.expected)
        if address in self.lendable:
            self.expected.add(address)

    @precondition(lambda self: self.expected)
    @rule()
    def take_next(self) -> None:
        """The next is the lowest."""
        address = self.free.next()
        assert address == min(self.expected)
        assert self.free.take(address)
        self.expected.discard(address)

    @rule()
    def drain(self) -> None:
        """All of them go, and then there is none."""
        assert drain(self.free) == sorted(self.expected)
        self.expected.clear()

    @invariant()
    def same(self) -> None:
        """Both hold the same, the runs are whole and never touch, and made anew they are the same."""
        assert len(self.free) == len(self.expected)
        runs = self.free.runs()
        assert {IPv4Address(n) for start, end in runs for n in range(start, end + 1)} == self.expected
        assert all(end + 1 < start for (_, end), (start, _) in pairwise(runs))
        assert FreeAddresses(self.pool, self.lendable - self.expected).runs() == runs


TestAgainstASet = AgainstASet.TestCase


def test_65_thousand_leases_with_every_second_gone() -> None:
    """The most broken pool still finds its next address, and heals to one run."""
    whole = pool("10.0.0.0/15")
    lent = [whole.network[at] for at in range(2, 65_538)]
    free = FreeAddresses(whole, lent)
    assert free.next() == whole.network[65_538]
    for address in lent[::2]:
        assert free.give_back(address)
    assert len(free.runs()) == 32_769
    assert free.next() == lent[0]
    for address in lent[1::2]:
        assert free.give_back(address)
    assert len(free.runs()) == 1
