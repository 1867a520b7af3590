"""The must rules of docs/firewall.md that need a tunnel, by real packets: first that they pass where the rule is not."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest

from slopn_helper.host.firewall import Blocked, Open, Tunnelled
from slopn_helper.host.journal import Journal
from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.linux import LinuxRouter
from support.capture import Capture
from support.firewall import ADDRESSES, ENDPOINTS, HostFirewall, blocked, tunnelled
from support.gateway import CLIENT4, CLIENT6, TUNNEL4, TUNNEL6
from support.internet import TCP_SINK, UDP_ECHO
from support.netns import Namespace, veth
from support.probe import V4, V6, ask, connect, dns, listener, ping, send
from support.topology import DNS4, ETH0, GATEWAY4, GATEWAY6, WEB4, WEB6, Lab
from support.toy_tunnel import INTERFACE, MARK, ToyTunnel
from support.until import until

ROUTES = RouteConfig(
    INTERFACE,
    (ip_interface(f"{CLIENT4}/32"), ip_interface(f"{CLIENT6}/128")),
    (ip_network("0.0.0.0/0"), ip_network("::/0")),
    1380,
    MARK,
)


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
def routed(lab: Lab, tunnel: ToyTunnel, tmp_path: Path) -> Iterator[ToyTunnel]:
    """The tunnel with everything routed into it, as the helper does."""
    router = LinuxRouter(Journal(tmp_path / "routes"))
    with lab.client.entered():
        asyncio.run(router.apply(ROUTES))
    yield tunnel
    with lab.client.entered():
        asyncio.run(router.apply(None))
    tunnel.address()


def test_must_2_what_is_forwarded_is_blocked_or_tunnelled(lab: Lab, firewall: HostFirewall, routed: ToyTunnel) -> None:
    """A container behind the client: in clear without us, refused while blocked, from the gateway while tunnelled."""
    del routed
    with Namespace("container") as container:
        veth(container, "c0", lab.client, "docker0")
        container.ip("addr add 172.17.0.2/16 dev c0\nroute add default via 172.17.0.1")
        lab.client.ip("addr add 172.17.0.1/16 dev docker0")
        lab.client.sysctl({"net/ipv4/ip_forward": "1"})
        lab.client.nft(
            "table ip docker { chain p { type nat hook postrouting priority srcnat; ip saddr 172.17.0.0/16 masquerade; }; }"
        )
        until(lambda: ask(container, (WEB4, UDP_ECHO), seconds=0.5), 5.0, "the container's packets are forwarded")
        # Before the block the new bridge's own reports (MLD) may still be on their way.
        firewall.apply(blocked())
        with Capture(lab.router, ["r-eth0"]) as capture:
            assert ask(container, (WEB4, UDP_ECHO), seconds=0.5) is None
            assert connect(container, (WEB4, TCP_SINK), seconds=0.5) == errno.ETIMEDOUT
            assert capture.reset().total == 0
            # The refusal is a packet to a private address, so it is for those who allow the LAN; and so is multicast.
            firewall.apply(blocked(allow_lan=True))
            assert connect(container, (WEB4, TCP_SINK)) == errno.ECONNREFUSED
            assert connect(container, (DNS4, 53)) == errno.ECONNREFUSED
            firewall.apply(tunnelled())
            assert set(capture.reset().leaks) <= {"multicast/mld"}, "the host's own reports, which the LAN may have"
            before = lab.internet.seen().count("udp_echo", GATEWAY4)
            assert ask(container, (WEB4, UDP_ECHO)) == b"probe"
            assert lab.internet.seen().count("udp_echo", GATEWAY4) == before + 1
            assert connect(container, (DNS4, 853), seconds=0.5) == errno.ETIMEDOUT
            assert ask(container, (TUNNEL4, 53), dns()) is not None
            assert capture.tally().total == 0, str(capture.tally())
    lab.client.run("nft delete table ip docker")
    lab.client.sysctl({"net/ipv4/ip_forward": "0"})


def test_must_4_a_strict_rp_filter_lets_replies_pass(lab: Lab, routed: ToyTunnel, tmp_path: Path) -> None:
    """With rp_filter 1 the tunnel works, and without the mark on replies it does not."""
    del routed
    strict = {f"net/ipv4/conf/{name}/rp_filter": "1" for name in ("all", "eth0")}
    lab.client.sysctl(strict)
    try:
        with HostFirewall(lab.client, tmp_path / "plain", owned=False) as plain:
            plain.apply(tunnelled())
            assert ask(lab.client, (WEB4, UDP_ECHO)) == b"probe"
            lab.client.run("nft flush chain inet slopn prerouting")
            assert ask(lab.client, (WEB4, UDP_ECHO), seconds=0.5) is None
            plain.apply(Open())
    finally:
        lab.client.sysctl(dict.fromkeys(strict, "0"))


@pytest.mark.parametrize(("address", "via"), [(CLIENT4, ETH0.client4), (CLIENT6, ETH0.client6)])
def test_must_5_the_lan_cannot_find_the_tunnels_address(
    lab: Lab, tunnel: ToyTunnel, firewall: HostFirewall, address: str, via: str
) -> None:
    """CVE-2019-14899: a router that sends packets to the tunnel's address is answered without us, not with us."""
    del tunnel
    neighbour = via if address == CLIENT4 else f"{ETH0.lan6}2"
    lab.router.ip(f"route add {address} via {via}")
    try:
        assert ping(lab.router, address)
        for policy in (blocked(allow_lan=True), tunnelled(allow_lan=True)):
            firewall.apply(policy)
            assert ping(lab.router, neighbour), "the LAN may reach the host's own address"
            assert not ping(lab.router, address, seconds=0.5)
        # Without its addresses the policy leaves them to the LAN's rule: so it was this rule that guarded.
        firewall.apply(Blocked(allow_lan=True))
        source = ETH0.router4 if address == CLIENT4 else f"{ETH0.lan6}1"
        assert lab.router.run(["ping", "-c1", "-W2", "-I", source, address], check=False).returncode == 0
    finally:
        lab.router.ip(f"route del {address} via {via}")


def test_must_6_dns_goes_to_the_tunnels_resolver_alone(lab: Lab, routed: ToyTunnel, firewall: HostFirewall) -> None:
    """Tunnelled, with the LAN allowed: no DNS to the LAN, none to another resolver through the tunnel."""
    del routed
    firewall.apply(tunnelled(allow_lan=True))
    assert ask(lab.client, (TUNNEL4, 53), dns()) is not None
    assert ask(lab.client, (DNS4, 53), dns()) is None
    assert send(lab.client, (ETH0.router4, 53)) == errno.EPERM
    assert send(lab.client, (f"{ETH0.lan6}1", 53)) == errno.EPERM
    for port in (853, 5355):
        with listener(lab.router, port), listener(lab.web, port):
            for address in (ETH0.router4, f"{ETH0.lan6}1", WEB4, WEB6):
                firewall.apply(Open())
                assert connect(lab.client, (address, port)) == 0
                firewall.apply(tunnelled(allow_lan=True))
                assert connect(lab.client, (address, port)) == errno.ECONNREFUSED
                assert send(lab.client, (address, port)) == errno.EPERM
    # The LAN itself is reachable, as it shall be: nothing listens there.
    assert send(lab.client, (ETH0.router4, 8080)) == 0


def test_must_6_a_profile_without_resolvers_asks_any_inside(
    lab: Lab, routed: ToyTunnel, firewall: HostFirewall
) -> None:
    """Empty `dns`: any resolver, through the tunnel; still none of the LAN outside it."""
    del routed
    firewall.apply(Tunnelled(allow_lan=True, endpoints=ENDPOINTS, interface=INTERFACE, addresses=ADDRESSES))
    before = lab.internet.seen().dns.count((GATEWAY4, "web.example.net", "A"))
    assert ask(lab.client, (DNS4, 53), dns()) is not None
    assert lab.internet.seen().dns.count((GATEWAY4, "web.example.net", "A")) == before + 1
    assert send(lab.client, (ETH0.router4, 53)) == errno.EPERM


def test_must_7_a_tunnel_made_anew_is_the_same_tunnel(lab: Lab, tunnel: ToyTunnel, firewall: HostFirewall) -> None:
    """The device comes again under another index; the rules in force hold for it as they are."""
    firewall.apply(tunnelled())
    tunnel.address()
    lab.client.ip(f"route add {WEB4} dev {INTERFACE}")
    assert ask(lab.client, (WEB4, UDP_ECHO)) == b"probe"
    tunnel.stop()
    assert send(lab.client, (WEB4, UDP_ECHO)) in {errno.EPERM, errno.ENETUNREACH}
    tunnel.start()
    tunnel.address()
    lab.client.ip(f"route add {WEB4} dev {INTERFACE}")
    assert ask(lab.client, (WEB4, UDP_ECHO)) == b"probe"
    assert firewall.drift() is None
    lab.client.ip(f"route del {WEB4} dev {INTERFACE}")


@pytest.mark.parametrize("allow_lan", [False, True])
def test_must_10_nothing_begins_from_inside_the_tunnel(
    lab: Lab, routed: ToyTunnel, firewall: HostFirewall, allow_lan: bool
) -> None:
    """The far end may ping the tunnel's address; it reaches no server, and no other address of the host."""
    del routed
    other = "10.1.0.3"
    lab.client.ip(f"addr add {other}/24 dev eth0")
    lab.gateway.ip(f"route add {other} dev toy0 src {TUNNEL4}")
    try:
        with listener(lab.client, 4446):
            assert connect(lab.gateway, (CLIENT4, 4446)) == 0
            assert connect(lab.gateway, (CLIENT6, 4446)) == 0
            assert ping(lab.gateway, other)
            for policy in (tunnelled(allow_lan=allow_lan), blocked(allow_lan=allow_lan)):
                firewall.apply(policy)
                assert connect(lab.gateway, (CLIENT4, 4446), seconds=0.5) == errno.ETIMEDOUT
                assert connect(lab.gateway, (CLIENT6, 4446), seconds=0.5) == errno.ETIMEDOUT
                assert connect(lab.gateway, (other, 4446), seconds=0.5) == errno.ETIMEDOUT
                assert not ping(lab.gateway, other, seconds=0.5)
                patience = 5.0 if isinstance(policy, Tunnelled) else 0.5
                assert ping(lab.gateway, CLIENT4, seconds=patience) is isinstance(policy, Tunnelled)
                assert ping(lab.gateway, CLIENT6, seconds=patience) is isinstance(policy, Tunnelled)
    finally:
        lab.client.ip(f"addr del {other}/24 dev eth0")
        lab.gateway.ip(f"route del {other} dev toy0")


def test_must_10_errors_of_the_tunnels_own_connections_arrive(
    lab: Lab, routed: ToyTunnel, firewall: HostFirewall
) -> None:
    """A port unreachable from beyond the tunnel reaches the socket that it is about."""
    del routed
    firewall.apply(tunnelled())
    for address in (WEB4, WEB6):
        with lab.client.entered(), socket.socket(V6 if ":" in address else V4, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect((address, 7))
            sock.send(b"probe")
            with pytest.raises(ConnectionRefusedError):
                sock.recv(100)


def test_a_connection_in_the_tunnel_outlives_a_block(lab: Lab, routed: ToyTunnel, firewall: HostFirewall) -> None:
    """Tunnelled, blocked while the tunnel reconnects, tunnelled again: the same TCP connection goes on."""
    del routed
    firewall.apply(tunnelled())
    with listener(lab.web, 4447) as server, lab.client.entered(), socket.create_connection((WEB4, 4447), 5) as near:
        far, (peer, *_) = server.accept()
        with far:
            far.settimeout(10)
            assert peer.endswith(GATEWAY4)
            near.sendall(b"before ")
            assert far.recv(100) == b"before "
            firewall.apply(blocked())
            near.sendall(b"while ")
            far.sendall(b"back")
            firewall.apply(tunnelled())
            near.sendall(b"after")
            got = b""
            while got != b"while after":
                got += far.recv(100) or pytest.fail(f"the connection ended after {got!r}")
            assert near.recv(100) == b"back"


def test_ipv6_underlay_carries_the_tunnel(lab: Lab, tunnel: ToyTunnel, firewall: HostFirewall, tmp_path: Path) -> None:
    """The same rules with the gateway's IPv6 address as the endpoint."""
    tunnel.__exit__()
    with ToyTunnel(lab.client, lab.gateway, endpoint=GATEWAY6):
        router = LinuxRouter(Journal(tmp_path / "routes6"))
        with lab.client.entered():
            asyncio.run(router.apply(ROUTES))
        firewall.apply(tunnelled())
        assert ask(lab.client, (WEB4, UDP_ECHO)) == b"probe"
        assert ask(lab.client, (WEB6, UDP_ECHO)) == b"probe"
        assert ping(lab.client, TUNNEL6)
        with lab.client.entered():
            asyncio.run(router.apply(None))
    tunnel.__enter__()
    tunnel.address()
