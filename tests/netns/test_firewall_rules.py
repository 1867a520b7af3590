"""The must rules of docs/firewall.md without a tunnel, by real packets: first that they pass where the rule is not."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest

from slopn_helper.host.firewall import Blocked, FirewallPolicy, Open
from slopn_wire.profile import Endpoint
from support.capture import Capture
from support.firewall import HostFirewall, blocked, tunnelled
from support.internet import TCP_SINK, UDP_ECHO
from support.probe import SO_MARK, V4, V6, ask, connect, dns, listener, ping, send
from support.topology import DNS4, ETH0, GATEWAY4, GATEWAY6, GATEWAY_PORT, WEB4, WEB6, Lab
from support.toy_tunnel import MARK
from support.until import until


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab with one uplink."""
    with Lab(uplinks=("eth0",)) as made:
        yield made


@pytest.fixture
def firewall(lab: Lab, tmp_path: Path) -> Iterator[HostFirewall]:
    """The kill switch of the client, open at the start and at the end."""
    with HostFirewall(lab.client, tmp_path) as made:
        yield made
        made.apply(Open())


def more_frames(capture: Capture, before: int) -> bool:
    """Whether more than `before` frames have come."""
    return capture.tally().frames > before


@pytest.mark.parametrize(("near", "prefix"), [("10.1.0.99", 24), ("2001:db8:1::99", 64)])
@pytest.mark.parametrize("closes", [False, True])
def test_must_1_what_waits_for_a_neighbour_does_not_leave_later(
    lab: Lab, firewall: HostFirewall, near: str, prefix: int, closes: bool
) -> None:
    """A packet that passed before the block waits for a neighbour; when it answers, the packet is gone."""
    family = V6 if ":" in near else V4
    assert send(lab.client, (near, 10)) == 0
    if closes:
        firewall.apply(Blocked(endpoints=(Endpoint(near, 9),)))
    lab.router.ip(f"addr add {near}/{prefix} dev r-eth0" + (" nodad" if family == V6 else ""))
    try:
        with lab.router.entered():
            early, later = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        with early, later:
            early.bind((near, 10))
            later.bind((near, 9))
            later.settimeout(10)
            # It finds the neighbour, and whatever waited for that is sent before it.
            assert send(lab.client, (near, 9), mark=MARK) == 0
            assert later.recv(100) == b"probe"
            early.setblocking(False)
            if closes:
                with pytest.raises(BlockingIOError):
                    early.recv(100)
            else:
                assert early.recv(100) == b"probe"
    finally:
        lab.router.ip(f"addr del {near}/{prefix} dev r-eth0")
        lab.client.run(f"ip neigh del {near} dev eth0")


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
                sock.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
        far.sendto(b"open", unasked.getsockname()[:2])
        assert unasked.recv(100) == b"open"
        ours = Endpoint(address, GATEWAY_PORT + 1)
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
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
        sock.settimeout(5)
        sock.connect((DNS4, 53))


@pytest.mark.parametrize("web", [WEB4, WEB6])
def test_must_3_a_captive_portal_is_looked_for_by_mark_and_port_80(lab: Lab, firewall: HostFirewall, web: str) -> None:
    """A page on the internet is fetched by marked packets, and by no others; nothing else of that server is."""
    assert marked(lab, (web, 80), 0) == 0
    firewall.apply(blocked())
    assert marked(lab, (web, 80)) == errno.ECONNREFUSED
    firewall.apply(Blocked(portal=(ip_address(web),)))
    assert marked(lab, (web, 80)) == 0
    assert marked(lab, (web, 80), 0) == errno.ECONNREFUSED
    assert marked(lab, (web, TCP_SINK)) == errno.ECONNREFUSED
    assert send(lab.client, (web, 80), mark=MARK) == errno.EPERM
    assert firewall.drift() is None


def marked(lab: Lab, to: tuple[str, int], mark: int = MARK) -> int:
    """Ask for a page; 0 when an answer came, else the errno."""
    with lab.client.entered(), socket.socket(V6 if ":" in to[0] else V4) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        sock.settimeout(5)
        try:
            sock.connect(to)
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return 0 if sock.recv(64).startswith(b"HTTP/") else -1
        except OSError as error:
            return error.errno or -1


def test_must_8_neighbours_are_found_while_blocked(lab: Lab, firewall: HostFirewall) -> None:
    """With an empty neighbour cache on both sides, marked packets still reach the gateway over IPv6."""
    firewall.apply(blocked())
    with Capture(lab.gateway, ["wan0"]) as capture:
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
        with Capture(lab.router, ["r-eth0"], allow_lan=True) as capture:
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


def test_dhcp_leaves_while_blocked(lab: Lab, firewall: HostFirewall) -> None:
    """A client's broadcast from port 68 passes; the same from another port, or unicast, doesn't."""
    firewall.apply(blocked())
    assert send(lab.client, ("255.255.255.255", 67), source_port=68, device="eth0") == 0
    assert send(lab.client, ("255.255.255.255", 67), source_port=69, device="eth0") == errno.EPERM
    assert send(lab.client, (WEB4, 67), source_port=68) == errno.EPERM
