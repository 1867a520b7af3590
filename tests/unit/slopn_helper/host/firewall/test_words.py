from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.host.firewall import words
from slopn_wire.profile import IPAddress, IPNetwork

NETWORKS = st.builds(
    lambda address, host: ip_network(f"{address}/{address.max_prefixlen - host}", strict=False),
    st.ip_addresses(),
    st.integers(0, 31),
)


@given(st.lists(NETWORKS, max_size=5), st.ip_addresses())
def test_the_sets_hold_what_the_networks_hold(networks: list[IPNetwork], address: IPAddress) -> None:
    """No address more and none less, and no network twice: nft refuses sets that overlap."""
    made = {
        family: [ip_network(member) for member in text.strip("{} ").split(", ")]
        for family, text in words.networks(networks).items()
    }
    probes = [address, *(network[0] for network in networks), *(network[-1] for network in networks)]
    for probe in map(words.plain, probes):
        wanted = any(probe in network for network in networks) or any(
            ip_address(f"::ffff:{probe}") in network for network in networks if probe.version == 4
        )
        if not (probe.version == 4 and any(n.version == 6 and n.prefixlen < 96 for n in networks)):
            assert any(probe in network for network in made.get(words.family_of(probe), ())) is wanted
    for members in made.values():
        assert not any(a.overlaps(b) for n, a in enumerate(members) for b in members[:n])


def test_a_family_without_networks_is_not_there() -> None:
    """An empty set is no rule at all, and certainly not one that fits everything."""
    assert words.networks(()) == {}
    assert words.networks([ip_network("192.0.2.0/24")]) == {"ip": "192.0.2.0/24"}
    assert words.networks([ip_network("::ffff:192.0.2.0/120")]) == {"ip": "192.0.2.0/24"}


def test_one_member_needs_no_set() -> None:
    """As nft lists it again."""
    assert words.one_of(["a"]) == "a"
    assert words.one_of(["a", "b"]) == "{ a, b }"


@pytest.mark.parametrize("name", ["slopn0", "wg-quick_1", "a.b=c+d"])
def test_a_tunnels_name_stays_as_it_is(name: str) -> None:
    """What the kernel allows and nft can quote."""
    assert words.interface(name) == name
