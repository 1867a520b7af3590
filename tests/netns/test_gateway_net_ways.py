"""Where devices' packets may go, with the real engine: each refusal is first shown to pass where its rule is not."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_helper.gateway.net.policy import Protocol, Refusal, Service
from support.gateway_net import (
    INSIDE4,
    INSIDE6,
    LAN4,
    MIRROR,
    OUTSIDE4,
    OUTSIDE6,
    POLICY,
    WEB4,
    WEB6,
    HostNet,
    World,
    asks,
    mirror,
)
from support.probe import connect, listener, ping

REFUSED = 1.0
"""Seconds after which silence is a refusal: what is let go is answered within milliseconds."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Three devices, a LAN and an internet around one gateway."""
    with World() as made, mirror(made.internet), mirror(made.lan), mirror(made.clients[1]):
        yield made


@pytest.fixture
def net(world: World, tmp_path: Path) -> Iterator[HostNet]:
    """The gateway's table, plain; none at the end."""
    with HostNet(world.gateway, tmp_path) as made:
        yield made


def test_devices_browse_by_the_gateways_addresses(world: World, net: HostNet) -> None:
    """Not at all before, and as the gateway afterwards, in both families."""
    for web in (WEB4, WEB6):
        assert asks(world.clients[0], web, seconds=REFUSED) is None
    net.apply(POLICY)
    for client in world.clients:
        assert asks(client, WEB4) == OUTSIDE4
        assert asks(client, WEB6) == OUTSIDE6
    with listener(world.internet, 80):
        assert connect(world.clients[0], (WEB4, 80)) == 0
        assert connect(world.clients[0], (WEB6, 80)) == 0
    assert net.drift() is None


def test_a_routed_prefix_is_not_translated(world: World, net: HostNet) -> None:
    """The internet sees the device's own address, once it knows the way back."""
    routed = replace(POLICY, nat66=False)
    net.apply(routed)
    world.internet.ip(f"-6 route add fd98::/64 via {OUTSIDE6}")
    try:
        # fc00::/7 is private, and the internet's address is not: so this passes, while the way back is the pool's.
        assert asks(world.clients[0], WEB6) == "fd98::2"
        assert asks(world.clients[0], WEB4) == OUTSIDE4
        before = net.count(Refusal.UNASKED)
        assert asks(world.internet, "fd98::3", seconds=REFUSED) is None
        assert net.count(Refusal.UNASKED) == before + 1
        net.apply(replace(routed, reachable=True))
        assert asks(world.internet, "fd98::3") == WEB6
    finally:
        world.internet.ip("-6 route del fd98::/64")


def test_nothing_begins_outside_to_a_translated_pool(world: World, net: HostNet) -> None:
    """A neighbour outside who routes the pool's addresses to the gateway reaches no device; without the rules it does."""
    net.apply(replace(POLICY, reachable=True))
    world.internet.ip(f"route add 10.98.0.0/24 via {OUTSIDE4}")
    try:
        assert asks(world.internet, "10.98.0.3", seconds=REFUSED) is None
        assert net.count(Refusal.UNASKED) == 1
        net.take_out("prerouting", "ip daddr 10.98.0.0/24")
        assert asks(world.internet, "10.98.0.3", seconds=REFUSED) is None, "the second wall"
        net.take_out("to_devices", "counter name")
        assert asks(world.internet, "10.98.0.3") == WEB4
    finally:
        world.internet.ip("route del 10.98.0.0/24")


def test_devices_are_isolated_unless_switched(world: World, net: HostNet) -> None:
    """Refused at once and counted by default, in both families; they meet with the switch off."""
    net.apply(POLICY)
    one, other = world.star.clients[:2]
    for address in (other.inner4, other.inner6):
        assert asks(one.namespace, address) is None
        assert not ping(one.namespace, address, seconds=REFUSED)
    assert net.count(Refusal.ISOLATED) == 4
    net.apply(replace(POLICY, isolated=False))
    assert asks(one.namespace, other.inner4) == one.inner4
    assert asks(one.namespace, other.inner6) == one.inner6
    net.apply(POLICY)
    assert asks(one.namespace, other.inner4, seconds=REFUSED) is None


@pytest.mark.parametrize(("source", "web"), [("192.0.2.66", WEB4), ("2001:db8:66::66", WEB6), (INSIDE6, WEB6)])
def test_a_source_outside_the_pools_is_dropped_and_counted(world: World, net: HostNet, source: str, web: str) -> None:
    """Also where the engine's allowed IPs are wrong. Without the rules the packet reaches the internet as it is."""
    client = world.star.clients[0]
    world.also_allow(client, source)
    client.namespace.ip(f"{'-6 ' if ':' in source else ''}addr add {source} dev wgt0")
    net.apply(replace(POLICY, nat44=False, nat66=False))
    try:
        with mirror(world.internet, 7008) as senders:
            before = net.count(Refusal.SPOOFED)
            assert asks(client.namespace, web, 7008, source=source, seconds=REFUSED) is None
            assert (senders, net.count(Refusal.SPOOFED)) == ([], before + 1)
            net.take_out("prerouting", 'counter name "spoofed"')
            world.gateway.sysctl({"net/ipv4/conf/wgt0/rp_filter": "0"})
            asks(client.namespace, web, 7008, source=source, seconds=REFUSED)
            assert senders == [source]
    finally:
        client.namespace.ip(f"{'-6 ' if ':' in source else ''}addr del {source} dev wgt0")
        world.also_allow(client)


def test_the_api_is_refused_from_inside_unless_switched(world: World, net: HostNet) -> None:
    """At each of the gateway's addresses; the internet reaches it, and so do devices with the switch."""
    net.apply(POLICY)
    device = world.clients[0]
    everywhere = (INSIDE4, INSIDE6, OUTSIDE4, OUTSIDE6)
    with listener(world.gateway, 443), listener(world.gateway, 22):
        for address in everywhere:
            assert connect(device, (address, 443)) in {errno.EHOSTUNREACH, errno.EACCES}
        assert net.count(Refusal.HERE) == len(everywhere)
        assert connect(world.internet, (OUTSIDE4, 443)) == 0
        net.apply(replace(POLICY, api_inside=True))
        assert [connect(device, (address, 443)) for address in everywhere] == [0] * 4
        assert connect(device, (INSIDE4, 22)) == errno.EHOSTUNREACH
        net.take_out("here", 'counter name "here"')
        assert connect(device, (INSIDE4, 22)) == 0


def test_other_services_are_devices_at_the_inside_addresses_alone(world: World, net: HostNet) -> None:
    """One that is named answers there; ping does too."""
    service = replace(POLICY, services=(Service(Protocol.UDP, MIRROR),))
    with mirror(world.gateway):
        net.apply(POLICY)
        assert asks(world.clients[0], INSIDE4) is None
        net.apply(service)
        assert asks(world.clients[0], INSIDE4) == "10.98.0.2"
        assert asks(world.clients[0], OUTSIDE4) is None
    assert ping(world.clients[0], INSIDE4)
    assert ping(world.clients[0], INSIDE6)
    assert not ping(world.clients[0], OUTSIDE4, seconds=REFUSED)


def test_the_servers_lan_is_refused_unless_switched(world: World, net: HostNet) -> None:
    """By its address, and by its interface; the switch opens the former, naming the interface the latter."""
    net.apply(POLICY)
    assert asks(world.clients[0], LAN4) is None
    assert net.count(Refusal.ELSEWHERE) == 1
    net.apply(replace(POLICY, uplinks=("up0", "lan0")))
    assert asks(world.clients[0], LAN4) is None
    assert net.count(Refusal.PRIVATE) == 1
    net.apply(replace(POLICY, uplinks=("up0", "lan0"), private=True))
    assert asks(world.clients[0], LAN4) == "192.168.50.1"
    net.apply(replace(POLICY, private=True))
    assert asks(world.clients[0], LAN4) is None


def test_destinations_can_be_named_or_ruled_out(world: World, net: HostNet) -> None:
    """A gateway to one network only, and one that keeps a network to itself."""
    net.apply(replace(POLICY, destinations=(ip_network(f"{WEB4}/32"),)))
    assert asks(world.clients[0], WEB4) == OUTSIDE4
    assert asks(world.clients[0], WEB6) is None
    net.apply(replace(POLICY, refused=(ip_network("203.0.113.0/24"),)))
    assert asks(world.clients[0], WEB4) is None
    assert asks(world.clients[0], WEB6) == OUTSIDE6
    assert net.count(Refusal.REFUSED) == 2


def test_names_are_asked_of_the_named_server_alone(world: World, net: HostNet) -> None:
    """Of the gateway's addresses only that one answers; a server of the LAN answers names and nothing else."""
    device = world.clients[0]
    named = replace(POLICY, dns=(ip_address(INSIDE4), ip_address(LAN4)))
    with mirror(world.gateway, 53), mirror(world.lan, 53), mirror(world.internet, 53):
        net.apply(POLICY)
        assert [asks(device, at, 53) for at in (INSIDE4, LAN4)] == [None, None]
        net.apply(named)
        assert asks(device, INSIDE4, 53) == "10.98.0.2"
        assert asks(device, LAN4, 53) == "192.168.50.1"
        assert asks(device, LAN4) is None
        assert [asks(device, at, 53) for at in (INSIDE6, OUTSIDE4, OUTSIDE6)] == [None] * 3
        assert asks(device, WEB4, 53) == OUTSIDE4
        net.apply(replace(named, dns_only=True))
        assert asks(device, INSIDE4, 53) == "10.98.0.2"
        assert [asks(device, at, 53) for at in (WEB4, WEB6)] == [None, None]
        assert net.count(Refusal.NAMES) == 2
        net.take_out("from_devices", 'counter name "names"')
        assert asks(device, WEB4, 53) == OUTSIDE4


def test_the_resolver_inside_answers_nobody_outside(world: World, net: HostNet) -> None:
    """Somebody outside who routes the inside address to the gateway gets no answer; without the rule he does."""
    net.apply(replace(POLICY, dns=(ip_address(INSIDE4),)))
    world.internet.ip(f"route add {INSIDE4} via {OUTSIDE4}")
    try:
        with mirror(world.gateway, 53, address=f"::ffff:{INSIDE4}"):
            assert asks(world.internet, INSIDE4, 53, seconds=REFUSED) is None
            assert net.count(Refusal.UNASKED) == 1
            net.take_out("prerouting", f"ip daddr {INSIDE4}")
            net.take_out("prerouting", "ip daddr 10.98.0.0/24")
            assert asks(world.internet, INSIDE4, 53) == WEB4
    finally:
        world.internet.ip(f"route del {INSIDE4}")


def test_the_tunnels_own_packets_inside_it_are_told_apart(world: World, net: HostNet) -> None:
    """A device whose route to the gateway leads into the tunnel is counted as such."""
    net.apply(POLICY)
    asks(world.clients[0], OUTSIDE4, POLICY.wireguard_port, seconds=0.2)
    assert (net.count(Refusal.LOOP), net.count(Refusal.HERE)) == (1, 0)
