from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from slopn_helper.host.firewall import Blocked, FirewallPolicy, Open, Tunnelled
from slopn_helper.host.firewall.policy import Inside
from slopn_helper.host.firewall.ruleset import chains, device_chains, filling, render, replacing
from slopn_wire.profile import Endpoint

DATA = Path(__file__).parents[4] / "data/firewall"
MARK = 51820

ENDPOINTS = (Endpoint("203.0.113.10", 51820), Endpoint("2001:db8:9::10", 443))
RESOLVERS = (ip_address("192.0.2.53"), ip_address("2001:db8::53"))
PORTAL = (ip_address("192.0.2.80"), ip_address("2001:db8::80"))
APIS = (Endpoint("203.0.113.10", 443), Endpoint("2001:db8:203::10", 8443))
ADDRESSES = (ip_address("10.9.0.2"), ip_address("fd09::2"))
DNS = (ip_address("10.9.0.1"), ip_address("fd09::1"))
EXCLUDED = tuple(map(ip_network, ("192.168.7.0/24", "192.168.6.0/24", "10.20.0.0/16", "2001:db8:77::/48")))
ONLY = tuple(map(ip_network, ("10.8.0.0/16", "fd08::/32")))

TUNNELLED_ALL = Tunnelled(allow_lan=False, endpoints=ENDPOINTS, interface="slopn0", addresses=ADDRESSES, dns=DNS)

GOLDEN: dict[str, FirewallPolicy] = {
    "open": Open(),
    "blocked": Blocked(),
    "blocked_lan": Blocked(allow_lan=True),
    "resolving": Blocked(resolvers=RESOLVERS),
    "portal": Blocked(resolvers=RESOLVERS[:1], portal=PORTAL),
    "enrolling": Blocked(apis=APIS),
    "connecting": Blocked(endpoints=ENDPOINTS, addresses=ADDRESSES),
    "protecting": Blocked(True, ENDPOINTS, addresses=ADDRESSES, excluded=EXCLUDED, inside=Inside("slopn0", DNS)),
    "tunnelled": TUNNELLED_ALL,
    "tunnelled_renewing": structs.replace(TUNNELLED_ALL, resolvers=RESOLVERS[:1], apis=APIS[:1]),
    "tunnelled_lan": Tunnelled(
        allow_lan=True, endpoints=ENDPOINTS[:1], interface="slopn0", addresses=ADDRESSES[:1], dns=DNS[:1]
    ),
    "tunnelled_any_dns": Tunnelled(allow_lan=False, endpoints=ENDPOINTS[:1], interface="slopn0", addresses=ADDRESSES),
    "blocked_excluded": Blocked(endpoints=ENDPOINTS, addresses=ADDRESSES, excluded=EXCLUDED),
    "tunnelled_excluded": structs.replace(TUNNELLED_ALL, excluded=EXCLUDED),
    "blocked_only": Blocked(endpoints=ENDPOINTS, addresses=ADDRESSES, only=ONLY),
    "tunnelled_only": structs.replace(TUNNELLED_ALL, only=ONLY),
    "tunnelled_only_any_dns": structs.replace(TUNNELLED_ALL, allow_lan=True, dns=(), excluded=EXCLUDED[:2], only=ONLY),
}
GOLDEN_DEVICES = ("connecting", "portal", "enrolling", "tunnelled", "tunnelled_lan", "tunnelled_only")
"""Of these also what frames meet on two devices, one of which has a name that no chain can have."""

IPV4 = st.ip_addresses(v=4)
IPV6 = st.ip_addresses(v=6)
ADDRESS_LISTS = st.lists(IPV4 | IPV6, max_size=4).map(tuple)
ENDPOINT_LISTS = st.lists(st.builds(Endpoint, (IPV4 | IPV6).map(str), st.integers(1, 65535)), max_size=4).map(tuple)
INTERFACES = st.from_regex(r"[a-z][a-z0-9_.-]{0,13}[0-9]", fullmatch=True)
BLOCKED = st.builds(Blocked, st.booleans(), ENDPOINT_LISTS, ADDRESS_LISTS, ADDRESS_LISTS)
TUNNELLED = st.builds(Tunnelled, st.booleans(), ENDPOINT_LISTS, INTERFACES, ADDRESS_LISTS, ADDRESS_LISTS)
CLOSED = BLOCKED | TUNNELLED

FEW = settings(max_examples=30, deadline=None)
"""The policies differ in little: a few dozen show it."""


@pytest.mark.parametrize("name", GOLDEN)
def test_each_policy_is_its_golden_file(name: str) -> None:
    """The rules of a policy are reviewed as a file: a change of theirs is a change of that file."""
    assert render(GOLDEN[name], fwmark=MARK) == (DATA / f"{name}.nft").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GOLDEN_DEVICES)
def test_what_frames_meet_is_its_golden_file(name: str) -> None:
    """The same for the table of devices."""
    made = device_chains(GOLDEN[name], ("eth0", "wl-p2s0"), fwmark=MARK)
    assert replacing("netdev", made) == (DATA / f"devices_{name}.nft").read_text(encoding="utf-8")


def test_there_is_no_golden_file_without_its_policy() -> None:
    """A file that nothing compares would be believed."""
    assert {path.stem for path in DATA.glob("*.nft")} == {*GOLDEN, *(f"devices_{name}" for name in GOLDEN_DEVICES)}


@FEW
@given(CLOSED)
def test_filling_puts_the_same_rules_into_a_table_that_stays(policy: Blocked | Tunnelled) -> None:
    """For an owned table the same chains and rules, without a word about the table itself."""
    lines = filling("inet", chains(policy, fwmark=MARK), ("chain old", "set s")).splitlines()
    assert lines[:3] == ["flush table inet slopn", "delete chain inet slopn old", "delete set inet slopn s"]
    expected = []
    for chain in chains(policy, fwmark=MARK):
        expected.append(f"add chain inet slopn {chain.name} {{ {chain.head} }}")
        expected += [f"add rule inet slopn {chain.name} {' '.join(rule)}" for rule in chain.rules]
    assert lines[3:] == expected


@FEW
@given(st.text(max_size=20))
def test_an_interface_name_can_never_be_more_than_a_name(name: str) -> None:
    """Whatever a name is made of, it is refused or stands between quotes as it is."""
    policy = Tunnelled(allow_lan=False, endpoints=(), interface=name)
    try:
        script = render(policy, fwmark=MARK)
    except ValueError:
        return
    assert f'oifname "{name}" accept' in script
    assert not set(name) & set('"*\n;{}\\ ')


@pytest.mark.parametrize("name", ["", "lo", "slopn*", "a" * 16, 'x" accept', "tun 0", "a/b", "tun\n0"])
def test_impossible_interface_names_are_refused(name: str) -> None:
    """Wildcards, quotes, blanks and loopback are no tunnel."""
    with pytest.raises(ValueError, match="can't be the name"):
        render(Tunnelled(allow_lan=False, endpoints=(), interface=name), fwmark=MARK)


@pytest.mark.parametrize(
    "endpoint",
    [Endpoint("gateway.example.net", 51820), Endpoint("", 1), Endpoint("1.2.3.4/0", 1), Endpoint("1.2.3.4", 0)],
)
def test_impossible_endpoints_are_refused(endpoint: Endpoint) -> None:
    """A name is resolved before it comes here; a network is no endpoint; a port is not 0."""
    with pytest.raises(ValueError, match=r"."):
        render(Blocked(endpoints=(endpoint,)), fwmark=MARK)


@pytest.mark.parametrize("name", ["", 'e"0', "a b", "a" * 16, "e*", "a/b"])
def test_impossible_device_names_are_refused(name: str) -> None:
    """What can't stand between quotes, and what would be more than one device."""
    with pytest.raises(ValueError, match="can't be the name"):
        device_chains(Blocked(), [name], fwmark=MARK)


def test_no_two_devices_share_a_chain() -> None:
    """Whatever they are called, their chains have names of their own that nft(8) takes."""
    names = ("allowed", "eth0", "eth-0", "eth.0", "Eth0", "0", "on_eth0", "wlan0@x", "ü", "{}")
    made = [chain.name for chain in device_chains(Blocked(), names, fwmark=MARK)]
    assert len(set(made)) == len(names) + 1
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in made)


def test_networks_are_written_as_packets_carry_them_and_once() -> None:
    """One inside another is dropped, neighbours are joined, IPv4 inside IPv6 is IPv4."""
    networks = ("10.1.0.0/16", "10.1.2.0/24", "::ffff:192.0.2.0/120", "2001:db8::/33", "2001:db8:8000::/33")
    script = render(Blocked(excluded=tuple(map(ip_network, networks))), fwmark=MARK)
    assert "    ip daddr { 10.1.0.0/16, 192.0.2.0/24 } accept\n    ip6 daddr 2001:db8::/32 accept\n" in script


@pytest.mark.parametrize("mark", [0, -1, 1 << 32])
def test_impossible_marks_are_refused(mark: int) -> None:
    """Mark 0 is every packet's: it would open the endpoint to all."""
    with pytest.raises(ValueError, match="mark"):
        render(Blocked(), fwmark=mark)


def test_an_address_is_written_as_packets_carry_it() -> None:
    """Zones are the host's business, and IPv4 inside IPv6 is IPv4 on the wire."""
    script = render(Blocked(endpoints=(Endpoint("::ffff:192.0.2.7", 1), Endpoint("fe80::1%eth0", 2))), fwmark=MARK)
    assert "meta mark 0xca6c ip daddr 192.0.2.7 udp dport 1 accept" in script
    assert "meta mark 0xca6c ip6 daddr fe80::1 udp dport 2 accept" in script


def test_the_same_endpoint_twice_is_one_rule() -> None:
    """Two peers behind one address and port need no second rule."""
    assert render(Blocked(endpoints=ENDPOINTS[:1] * 2), fwmark=MARK) == render(
        Blocked(endpoints=ENDPOINTS[:1]), fwmark=MARK
    )
