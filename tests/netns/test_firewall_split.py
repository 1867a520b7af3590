"""Networks that the user wants beside the tunnel, and those that alone shall go through it, by real packets."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest
from msgspec import structs

from slopn_helper.host.firewall import Blocked, Open, Tunnelled
from slopn_helper.host.journal import Journal
from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.linux import LinuxRouter
from support.capture import Capture
from support.firewall import HostFirewall, blocked, tunnelled
from support.gateway import CLIENT4, CLIENT6, TUNNEL4
from support.internet import TCP_SINK, UDP_ECHO
from support.netns import Namespace, veth
from support.probe import ask, connect, dns, listener, ping, send
from support.topology import DNS4, ETH0, GATEWAY4, WEB4, WEB6, Lab
from support.toy_tunnel import INTERFACE, MARK, ToyTunnel
from support.until import until

WEB = (ip_network(f"{WEB4}/32"), ip_network("2001:db8:ffff::/64"))
"""The web server's addresses; of IPv6 also the resolver's."""
RESOLVERS = (ip_network(f"{DNS4}/32"),)
CLOSED = (blocked(), tunnelled())
NAMES = ["blocked", "tunnelled"]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab with one uplink."""
    with Lab(uplinks=("eth0",)) as made:
        yield made


@pytest.fixture(scope="module")
def tunnel(lab: Lab) -> Iterator[ToyTunnel]:
    """The tunnel's two ends; nothing is routed into it."""
    with ToyTunnel(lab.client, lab.gateway) as made:
        made.address()
        yield made


@pytest.fixture
def firewall(lab: Lab, tmp_path: Path) -> Iterator[HostFirewall]:
    """The kill switch of the client, open at the start and at the end."""
    with HostFirewall(lab.client, tmp_path) as made:
        yield made
        made.apply(Open())


@pytest.fixture
def guest(lab: Lab) -> Iterator[Namespace]:
    """A container behind the client, masqueraded as Docker does it."""
    with Namespace("container") as container:
        veth(container, "c0", lab.client, "docker0")
        container.ip("addr add 172.17.0.2/16 dev c0\nroute add default via 172.17.0.1")
        lab.client.ip("addr add 172.17.0.1/16 dev docker0")
        lab.client.sysctl({"net/ipv4/ip_forward": "1"})
        lab.client.nft(
            "table ip docker { chain p { type nat hook postrouting priority srcnat; ip saddr 172.17.0.0/16 masquerade; }; }"
        )
        until(lambda: ask(container, (WEB4, UDP_ECHO), seconds=0.5), 5.0, "the container's packets are forwarded")
        yield container
    lab.client.run("nft delete table ip docker")
    lab.client.sysctl({"net/ipv4/ip_forward": "0"})


@pytest.mark.parametrize("policy", CLOSED, ids=NAMES)
def test_excluded_networks_are_reached_beside_the_tunnel(
    lab: Lab, tunnel: ToyTunnel, firewall: HostFirewall, policy: Blocked | Tunnelled
) -> None:
    """Out and back, both families; refused while they aren't excluded, and others still are."""
    del tunnel
    firewall.apply(policy)
    assert [connect(lab.client, (address, TCP_SINK)) for address in (WEB4, WEB6)] == [errno.ECONNREFUSED] * 2
    firewall.apply(structs.replace(policy, excluded=WEB))
    for address in (WEB4, WEB6):
        assert connect(lab.client, (address, TCP_SINK)) == 0
        assert ask(lab.client, (address, UDP_ECHO)) == b"probe"
        assert ping(lab.client, address)
    assert connect(lab.client, (DNS4, TCP_SINK)) == errno.ECONNREFUSED
    assert send(lab.client, (GATEWAY4, 22)) == errno.EPERM
    assert firewall.drift() is None


@pytest.mark.parametrize("policy", CLOSED, ids=NAMES)
def test_excluded_networks_get_no_dns(
    lab: Lab, tunnel: ToyTunnel, firewall: HostFirewall, policy: Blocked | Tunnelled
) -> None:
    """The resolver's network is excluded: it is reached, and not asked; neither by DNS over TLS nor by LLMNR."""
    del tunnel
    assert ask(lab.client, (DNS4, 53), dns()) is not None
    firewall.apply(structs.replace(policy, excluded=RESOLVERS))
    assert send(lab.client, (DNS4, 9)) == 0
    assert [send(lab.client, (DNS4, port)) for port in (53, 853, 5355)] == [errno.EPERM] * 3
    assert [connect(lab.client, (DNS4, port)) for port in (53, 853, 5355)] == [errno.ECONNREFUSED] * 3


@pytest.mark.parametrize("policy", CLOSED, ids=NAMES)
def test_excluded_networks_may_begin(
    lab: Lab, tunnel: ToyTunnel, firewall: HostFirewall, policy: Blocked | Tunnelled
) -> None:
    """A server on the client is reached from an excluded network, and not from another; never by the tunnel's address."""
    del tunnel
    lab.router.ip(f"route add {CLIENT4} via {ETH0.client4}")
    try:
        with listener(lab.client, 4448):
            firewall.apply(policy)
            assert connect(lab.web, (ETH0.client4, 4448), seconds=0.5) == errno.ETIMEDOUT
            firewall.apply(structs.replace(policy, excluded=WEB))
            assert connect(lab.web, (ETH0.client4, 4448)) == 0
            assert connect(lab.web, (ETH0.client6, 4448)) == 0
            assert connect(lab.router, (ETH0.client4, 4448), seconds=0.5) == errno.ETIMEDOUT
            assert connect(lab.web, (CLIENT4, 4448), seconds=0.5) == errno.ETIMEDOUT, "anti-spoofing"
            firewall.apply(Open())
            assert connect(lab.web, (CLIENT4, 4448)) == 0
    finally:
        lab.router.ip(f"route del {CLIENT4} via {ETH0.client4}")


@pytest.mark.parametrize("policy", CLOSED, ids=NAMES)
def test_containers_reach_excluded_networks(
    lab: Lab, tunnel: ToyTunnel, firewall: HostFirewall, guest: Namespace, policy: Blocked | Tunnelled
) -> None:
    """Forwarded out and back; not to others, and not when the container's own network is what is excluded."""
    del tunnel
    with Capture(lab.router, ["r-eth0"]) as capture:
        firewall.apply(structs.replace(policy, excluded=(ip_network("172.16.0.0/12"),)))
        capture.reset()
        assert ask(guest, (WEB4, UDP_ECHO), seconds=0.5) is None
        assert ping(lab.client, "172.17.0.2"), "the host itself reaches its containers"
        assert capture.tally().total == 0
        firewall.apply(structs.replace(policy, excluded=WEB))
        assert ask(guest, (WEB4, UDP_ECHO)) == b"probe"
        assert connect(guest, (WEB4, TCP_SINK)) == 0
        assert connect(guest, (WEB4, 53), seconds=0.5) != 0
        capture.reset()
        assert ask(guest, (DNS4, 9), seconds=0.5) is None
        assert capture.tally().total == 0


def test_only_holds_back_its_networks_while_blocked(lab: Lab, tunnel: ToyTunnel, firewall: HostFirewall) -> None:
    """What shall go through the tunnel doesn't go beside it; all else goes where it wants, DNS included."""
    del tunnel
    assert connect(lab.client, (WEB4, TCP_SINK)) == 0
    firewall.apply(structs.replace(blocked(), only=WEB))
    for address in (WEB4, WEB6):
        assert connect(lab.client, (address, TCP_SINK)) == errno.ECONNREFUSED
        assert send(lab.client, (address, UDP_ECHO)) == errno.EPERM
    assert ask(lab.client, (DNS4, 53), dns()) is not None
    assert send(lab.client, (ETH0.router4, 8080)) == 0
    assert send(lab.client, (GATEWAY4, 22)) == 0
    with listener(lab.client, 4449):
        assert connect(lab.router, (ETH0.client4, 4449)) == 0
        assert connect(lab.web, (ETH0.client4, 4449), seconds=0.5) == errno.ETIMEDOUT
    # The tunnel's address is guarded as ever.
    lab.router.ip(f"route add {CLIENT4} via {ETH0.client4}")
    try:
        assert not ping(lab.router, CLIENT4, seconds=0.5)
        firewall.apply(Open())
        assert ping(lab.router, CLIENT4)
    finally:
        lab.router.ip(f"route del {CLIENT4} via {ETH0.client4}")


def test_only_while_tunnelled(lab: Lab, tunnel: ToyTunnel, firewall: HostFirewall, tmp_path: Path) -> None:
    """Its networks go through the tunnel, others beside it; names are asked for inside if the profile has a resolver."""
    router = LinuxRouter(Journal(tmp_path / "routes"))
    addresses = (ip_interface(f"{CLIENT4}/32"), ip_interface(f"{CLIENT6}/128"))
    with lab.client.entered():
        asyncio.run(router.apply(RouteConfig(INTERFACE, addresses, WEB, 1380, MARK)))
    firewall.apply(structs.replace(tunnelled(), only=WEB))
    before = lab.internet.seen().count("udp_echo", GATEWAY4)
    assert ask(lab.client, (WEB4, UDP_ECHO)) == b"probe"
    assert lab.internet.seen().count("udp_echo", GATEWAY4) == before + 1
    assert ask(lab.client, (DNS4, 53), dns()) is None
    assert send(lab.client, (ETH0.router4, 8080)) == 0
    firewall.apply(structs.replace(tunnelled(), only=WEB, dns=()))
    assert ask(lab.client, (DNS4, 53), dns()) is not None
    with lab.client.entered():
        asyncio.run(router.apply(None))
    tunnel.address()
    # The routes are gone, the policy isn't.
    assert send(lab.client, (WEB4, UDP_ECHO)) == errno.EPERM


def test_only_lets_nothing_begin_inside_the_tunnel(lab: Lab, tunnel: ToyTunnel, firewall: HostFirewall) -> None:
    """Though nearly everything may come in beside it."""
    del tunnel
    lab.client.ip(f"route add {TUNNEL4} dev {INTERFACE}")
    with listener(lab.client, 4450):
        assert connect(lab.gateway, (CLIENT4, 4450)) == 0
        firewall.apply(structs.replace(tunnelled(), only=WEB))
        assert connect(lab.router, (ETH0.client4, 4450)) == 0
        assert connect(lab.gateway, (CLIENT4, 4450), seconds=0.5) == errno.ETIMEDOUT
        assert ping(lab.gateway, CLIENT4)
    lab.client.ip(f"route del {TUNNEL4} dev {INTERFACE}")


def test_only_holds_containers_back_too(lab: Lab, tunnel: ToyTunnel, firewall: HostFirewall, guest: Namespace) -> None:
    """Forwarded packets to its networks don't leave beside the tunnel; others do."""
    del tunnel
    assert ask(guest, (WEB4, UDP_ECHO)) == b"probe"
    firewall.apply(structs.replace(blocked(), only=WEB))
    with Capture(lab.router, ["r-eth0"]) as capture:
        assert ask(guest, (WEB4, UDP_ECHO), seconds=0.5) is None
        assert capture.tally().total == 0
    assert ask(guest, (DNS4, 53), dns()) is not None
