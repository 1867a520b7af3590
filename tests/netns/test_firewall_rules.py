"""The must rules of docs/firewall.md with real packets: for each, first that it gets through where the rule isn't."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from slopn_helper.host.firewall import Blocked, FirewallPolicy, Open, Tunnelled
from slopn_helper.host.journal import Journal
from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.linux import LinuxRouter
from support.capture import Capture
from support.firewall import ADDRESSES, ENDPOINTS, HostFirewall, blocked, tunnelled
from support.gateway import CLIENT4, CLIENT6, TUNNEL4, TUNNEL6
from support.internet import TCP_SINK, UDP_ECHO
from support.netns import Namespace, veth
from support.topology import DNS4, ETH0, GATEWAY4, GATEWAY6, GATEWAY_PORT, WEB4, WEB6, Lab
from support.toy_tunnel import INTERFACE, MARK, ToyTunnel
from support.until import until

V4, V6 = socket.AF_INET, socket.AF_INET6
_SO_MARK = 36

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


def send(host: Namespace, to: tuple[str, int], *, mark: int = 0, source_port: int = 0, device: str = "") -> int:
    """Send one datagram; 0 or the errno."""
    family = V6 if ":" in to[0] else V4
    with host.entered(), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if device:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        if source_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", source_port))
        try:
            sock.sendto(b"probe", to)
        except OSError as error:
            return error.errno or -1
    return 0


def ask(
    host: Namespace, to: tuple[str, int], payload: bytes = b"probe", *, mark: int = 0, seconds: float = 5.0
) -> bytes | None:
    """Send one datagram and return the answer; None when it is refused or, after `seconds`, none came."""
    family = V6 if ":" in to[0] else V4
    with host.entered(), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
        sock.settimeout(seconds)
        try:
            sock.sendto(payload, to)
            return sock.recv(2048)
        except OSError:
            return None


def connect(host: Namespace, to: tuple[str, int], *, seconds: float = 5.0) -> int:
    """Connect by TCP; 0 or the errno, ETIMEDOUT after `seconds`."""
    with host.entered(), socket.socket(V6 if ":" in to[0] else V4) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(to)
        except TimeoutError:
            return errno.ETIMEDOUT
        except OSError as error:
            return error.errno or -1
    return 0


def dns(name: str = "web.example.net") -> bytes:
    """A query for an A record."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def ping(host: Namespace, to: str, *, seconds: float = 5.0) -> bool:
    """Whether an echo request is answered."""
    return host.run(["ping", "-c1", f"-W{seconds}", to], check=False).returncode == 0


@contextlib.contextmanager
def listener(host: Namespace, port: int) -> Iterator[socket.socket]:
    """A TCP server on all addresses of both families."""
    with host.entered(), socket.create_server(("::", port), family=V6, dualstack_ipv6=True) as server:
        server.settimeout(5)
        yield server


@contextlib.contextmanager
def seen(host: Namespace, device: str) -> Iterator[Capture]:
    """A capture of what reaches `device`."""
    with Capture(host, [device]) as capture:
        yield capture


def more_frames(capture: Capture, before: int) -> bool:
    """Whether more than `before` frames have come."""
    return capture.tally().frames > before


@pytest.mark.parametrize("address", [WEB4, WEB6])
def test_must_2_programs_fail_at_once(lab: Lab, firewall: HostFirewall, address: str) -> None:
    """A blocked TCP connection is refused and a datagram not permitted, where both worked before."""
    assert connect(lab.client, (address, TCP_SINK)) == 0
    assert ask(lab.client, (address, UDP_ECHO)) == b"probe"
    firewall.apply(blocked())
    assert connect(lab.client, (address, TCP_SINK)) == errno.ECONNREFUSED
    assert send(lab.client, (address, UDP_ECHO)) == errno.EPERM
    assert not ping(lab.client, address, seconds=0.5)


def test_must_2_nothing_comes_in(lab: Lab, firewall: HostFirewall) -> None:
    """A server on the client is reached from outside before, and not while blocked or tunnelled."""
    with listener(lab.client, 4444):
        for address in (ETH0.client4, ETH0.client6):
            assert connect(lab.web, (address, 4444)) == 0
        for policy in (blocked(), tunnelled()):
            firewall.apply(policy)
            for address in (ETH0.client4, ETH0.client6):
                assert connect(lab.web, (address, 4444), seconds=0.5) == errno.ETIMEDOUT
            # It still serves the host itself.
            assert connect(lab.client, ("127.0.0.1", 4444)) == 0
            assert connect(lab.client, (ETH0.client4, 4444)) == 0
            assert connect(lab.client, ("::1", 4444)) == 0


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
        with seen(lab.router, "r-eth0") as capture:
            firewall.apply(blocked())
            assert ask(container, (WEB4, UDP_ECHO), seconds=0.5) is None
            assert connect(container, (WEB4, TCP_SINK), seconds=0.5) == errno.ETIMEDOUT
            # The refusal is a packet to a private address, so it is for those who allow the LAN.
            firewall.apply(blocked(allow_lan=True))
            assert connect(container, (WEB4, TCP_SINK)) == errno.ECONNREFUSED
            assert connect(container, (DNS4, 53)) == errno.ECONNREFUSED
            firewall.apply(tunnelled())
            before = lab.internet.seen().count("udp_echo", GATEWAY4)
            assert ask(container, (WEB4, UDP_ECHO)) == b"probe"
            assert lab.internet.seen().count("udp_echo", GATEWAY4) == before + 1
            assert connect(container, (DNS4, 53), seconds=0.5) == errno.ETIMEDOUT
            assert ask(container, (TUNNEL4, 53), dns()) is not None
            assert capture.tally().total == 0, str(capture.tally())
    lab.client.run("nft delete table ip docker")
    lab.client.sysctl({"net/ipv4/ip_forward": "0"})


@pytest.mark.parametrize("address", [GATEWAY4, GATEWAY6])
def test_must_3_the_gateway_only_by_mark_address_and_port(lab: Lab, firewall: HostFirewall, address: str) -> None:
    """The mark alone, or the address and port alone, open nothing."""
    for policy in (Open(), blocked(), tunnelled()):
        firewall.apply(policy)
        refused = 0 if isinstance(policy, Open) else errno.EPERM
        assert send(lab.client, (address, GATEWAY_PORT), mark=MARK) == 0
        assert send(lab.client, (address, GATEWAY_PORT)) == refused
        assert send(lab.client, (address, GATEWAY_PORT), mark=MARK + 1) == refused
        assert send(lab.client, (address, GATEWAY_PORT + 1), mark=MARK) == refused
        assert send(lab.client, (WEB4, GATEWAY_PORT), mark=MARK) == refused
        assert send(lab.client, (WEB6, GATEWAY_PORT), mark=MARK) == refused


@pytest.mark.parametrize("address", [GATEWAY4, GATEWAY6])
def test_must_3_the_gateway_may_answer_and_not_begin(lab: Lab, firewall: HostFirewall, address: str) -> None:
    """A datagram from the gateway's port arrives as an answer only."""
    family = V6 if ":" in address else V4
    own = ETH0.client6 if family == V6 else ETH0.client4
    with contextlib.ExitStack() as stack:
        with lab.gateway.entered():
            far = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            far.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            far.settimeout(5)
            far.bind((address, GATEWAY_PORT + 1))
        with lab.client.entered():
            asked, unasked = (stack.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(2))
            for sock in (asked, unasked):
                sock.bind((own, 0))
                sock.settimeout(5)
                sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
        far.sendto(b"open", unasked.getsockname()[:2])
        assert unasked.recv(100) == b"open"
        ours = type(ENDPOINTS[0])(address, GATEWAY_PORT + 1)
        firewall.apply(Blocked(endpoints=(ours,)))
        far.sendto(b"begin", unasked.getsockname()[:2])
        asked.sendto(b"ask", (address, GATEWAY_PORT + 1))
        assert far.recvfrom(100)[1][:2] == asked.getsockname()[:2]
        far.sendto(b"answer", asked.getsockname()[:2])
        assert asked.recv(100) == b"answer"
        # It was sent before the answer, on the same way.
        unasked.setblocking(False)
        with pytest.raises(BlockingIOError):
            unasked.recv(100)


def test_must_3_resolvers_only_by_mark_and_port_53(lab: Lab, firewall: HostFirewall) -> None:
    """While the endpoint's name is being resolved, marked queries are answered, all others refused."""
    assert ask(lab.client, (DNS4, 53), dns()) is not None
    firewall.apply(blocked())
    assert ask(lab.client, (DNS4, 53), dns(), mark=MARK) is None
    firewall.apply(Blocked(resolvers=(ip_address(DNS4),)))
    assert ask(lab.client, (DNS4, 53), dns(), mark=MARK) is not None
    assert ask(lab.client, (DNS4, 53), dns()) is None
    assert send(lab.client, (DNS4, 54), mark=MARK) == errno.EPERM
    assert send(lab.client, (ETH0.router4, 53), mark=MARK) == errno.EPERM
    with lab.client.entered(), socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
        sock.settimeout(5)
        sock.connect((DNS4, 53))


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
    for port in (53, 853, 5355):
        assert connect(lab.client, (ETH0.router4, port)) == errno.ECONNREFUSED
        assert connect(lab.client, (WEB4, port)) == errno.ECONNREFUSED
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


def test_must_8_neighbours_are_found_while_blocked(lab: Lab, firewall: HostFirewall) -> None:
    """With an empty neighbour cache on both sides, marked packets still reach the gateway over IPv6."""
    firewall.apply(blocked())
    with seen(lab.gateway, "wan0") as capture:
        for _ in range(3):
            lab.client.run("ip -6 neigh flush all; ip -4 neigh flush all")
            lab.router.run("ip -6 neigh flush all; ip -4 neigh flush all")
            before = capture.tally().frames
            assert send(lab.client, (GATEWAY6, GATEWAY_PORT), mark=MARK) == 0
            until(partial(more_frames, capture, before), 5.0, "the datagram is at the gateway")


@pytest.mark.parametrize(
    ("kind", "target", "hops", "passes"),
    [
        (135, "fe80::1%eth0", 255, True),
        (135, "ff02::1:ff00:1%eth0", 255, True),
        (135, "ff02::1:ff00:1%eth0", 64, False),
        (135, ETH0.router6, 255, False),
        (135, "ff02::fb%eth0", 255, False),
        (136, "fe80::1%eth0", 255, True),
        (136, ETH0.router6, 255, False),
        (133, "ff02::2%eth0", 255, True),
        (133, "ff02::2%eth0", 64, False),
        (134, "ff02::1%eth0", 255, False),
        (137, "fe80::1%eth0", 255, False),
        (128, "fe80::1%eth0", 255, False),
    ],
)
def test_must_8_ndp_leaves_for_this_link_alone(
    lab: Lab, firewall: HostFirewall, kind: int, target: str, hops: int, passes: bool
) -> None:
    """Hand-made ICMPv6: what is no neighbour discovery of this link is refused."""

    def sent() -> bool:
        with lab.client.entered(), socket.socket(V6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)
            try:
                sock.sendto(struct.pack("!BBHI16s", kind, 0, 0, 0, bytes(16)), socket.getaddrinfo(target, 0)[0][4])
            except PermissionError:
                return False
        return True

    assert sent()
    firewall.apply(blocked())
    assert sent() is passes


def test_must_9_the_lan_is_open_by_leave_only(lab: Lab, firewall: HostFirewall) -> None:
    """Private addresses and multicast: refused, then with `allow_lan` let through, both ways."""
    targets = [
        (ETH0.router4, 8080),
        (f"{ETH0.lan6}1", 8080),
        ("224.0.0.251", 5353),
        ("239.255.255.250", 1900),
        ("255.255.255.255", 9),
        ("ff02::fb%eth0", 5353),
    ]
    firewall.apply(blocked())
    assert [send(lab.client, to, device="eth0") for to in targets] == [errno.EPERM] * len(targets)
    for policy in (blocked(allow_lan=True), tunnelled(allow_lan=True)):
        firewall.apply(policy)
        assert [send(lab.client, to, device="eth0") for to in targets] == [0] * len(targets)
    with listener(lab.client, 4445):
        assert connect(lab.router, (ETH0.client4, 4445)) == 0
        assert connect(lab.web, (ETH0.client4, 4445), seconds=0.5) == errno.ETIMEDOUT


@pytest.mark.parametrize("policy", [blocked(allow_lan=True), tunnelled(allow_lan=True)], ids=["blocked", "tunnelled"])
def test_must_9_a_netmask_makes_nobody_a_neighbour(lab: Lab, firewall: HostFirewall, policy: FirewallPolicy) -> None:
    """TunnelCrack: a network that claims the whole internet as its LAN gets none of it."""
    lab.client.ip("addr add 198.51.100.200/1 dev eth0\naddr add 2001:db8:ffff::200/16 dev eth0 nodad")
    try:
        lab.router.ip("addr add 198.51.100.9/32 dev r-eth0")
        with seen(lab.router, "r-eth0") as capture:
            assert send(lab.client, ("198.51.100.9", 9), device="eth0") == 0
            until(lambda: capture.tally().total, 5.0, "it leaves without us")
            firewall.apply(policy)
            capture.reset()
            assert send(lab.client, ("198.51.100.9", 9), device="eth0") == errno.EPERM
            assert send(lab.client, ("2001:db8:ffff::9", 9), device="eth0") == errno.EPERM
            assert capture.tally().total == 0
    finally:
        lab.router.ip("addr del 198.51.100.9/32 dev r-eth0")
        lab.client.ip("addr del 198.51.100.200/1 dev eth0\naddr del 2001:db8:ffff::200/16 dev eth0")


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


def test_dhcp_leaves_while_blocked(lab: Lab, firewall: HostFirewall) -> None:
    """A client's broadcast from port 68 passes; the same from another port, or unicast, doesn't."""
    firewall.apply(blocked())
    assert send(lab.client, ("255.255.255.255", 67), source_port=68, device="eth0") == 0
    assert send(lab.client, ("255.255.255.255", 67), source_port=69, device="eth0") == errno.EPERM
    assert send(lab.client, (WEB4, 67), source_port=68) == errno.EPERM


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
