"""What a gateway does to packets that it lets through, and what must not be lost on the way; real engine, real packets."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_helper.gateway.net.policy import Refusal
from support.enginepair import sniffing
from support.gateway_net import POLICY, WEB4, WEB6, HostNet, World, asks, mirror
from support.netns import Namespace
from support.probe import connect, listener
from support.until import until

SMALL = 1300
"""The uplink's MTU, less than the devices' 1420."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Devices behind a gateway."""
    with World() as made:
        yield made


@pytest.fixture
def net(world: World, tmp_path: Path) -> Iterator[HostNet]:
    """The gateway's table, plain; none at the end."""
    with HostNet(world.gateway, tmp_path) as made:
        yield made


@pytest.mark.parametrize("web", [WEB4, WEB6])
def test_segments_are_cut_to_the_smaller_way(world: World, net: HostNet, web: str) -> None:
    """Both ends' offers are clamped to the uplink's MTU; without the rules they are what each end thinks."""
    overhead = 60 if ":" in web else 40
    net.apply(POLICY)
    world.gateway.ip(f"link set up0 mtu {SMALL}")
    try:
        with listener(world.internet, 80):
            assert _offers(world, web) == {"syn": SMALL - overhead, "syn-ack": SMALL - overhead}
            net.take_out("clamp", "maxseg")
            assert _offers(world, web) == {"syn": 1420 - overhead, "syn-ack": 1500 - overhead}
    finally:
        world.gateway.ip("link set up0 mtu 1500")


def test_too_big_a_packet_is_told_of(world: World, net: HostNet) -> None:
    """What isn't TCP learns the path's MTU by ICMP from the gateway."""
    net.apply(POLICY)
    world.gateway.ip(f"link set up0 mtu {SMALL}")
    try:
        done = world.clients[0].run(f"ping -c1 -W2 -M do -s 1372 {WEB4}", check=False)
        assert f"mtu={SMALL}" in done.stdout + done.stderr or f"mtu = {SMALL}" in done.stdout + done.stderr
        done = world.clients[0].run(f"ping -6 -c1 -W2 -M do -s 1352 {WEB6}", check=False)
        assert f"mtu={SMALL}" in done.stdout + done.stderr or f"mtu = {SMALL}" in done.stdout + done.stderr
    finally:
        world.gateway.ip("link set up0 mtu 1500")
        for device in world.clients:
            device.ip("route flush cache\n-6 route flush cache")


@pytest.mark.parametrize(("web", "words"), [(WEB4, "icmp type"), (WEB6, "icmpv6 type { dest")])
def test_errors_of_a_devices_own_connections_come_back(world: World, net: HostNet, web: str, words: str) -> None:
    """From outside the gateway; without the rule they are lost, and with them every path MTU."""
    net.apply(POLICY)
    assert _error(world.clients[0], web) == errno.ECONNREFUSED
    net.take_out("to_devices", words)
    assert _error(world.clients[0], web, seconds=1.0) == errno.ETIMEDOUT


def test_neighbour_discovery_is_not_passed_on(world: World, net: HostNet) -> None:
    """A solicitation to an address behind the gateway is dropped and counted; without the rule it is forwarded."""
    net.apply(replace(POLICY, nat66=False))
    with sniffing(world.internet, "i0") as seen:
        _solicit(world.clients[0], WEB6)
        until(lambda: net.count(Refusal.NEIGHBOURS) == 1, 5, "it is counted")
        assert not _solicitations(seen)
        net.take_out("from_devices", "nd-router-solicit")
        _solicit(world.clients[0], WEB6)
        until(lambda: _solicitations(seen), 5, "it comes out at the other side")


def test_a_policy_that_closes_ends_what_is_open(world: World, net: HostNet) -> None:
    """A connection that was allowed goes on under an equal policy, and ends under one that refuses it."""
    one, other = world.star.clients[:2]
    net.apply(replace(POLICY, isolated=False))
    with mirror(other.namespace), one.namespace.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect((other.inner4, 7007))
        for _ in range(3):
            net.apply(replace(POLICY, isolated=False))
            sock.send(b"?")
            assert sock.recv(100).decode() == one.inner4
        net.apply(POLICY)
        with pytest.raises(OSError, match=r"."):  # noqa: PT012 (the refusal may come with either)
            sock.send(b"?")
            sock.recv(100)


def test_others_forwarding_is_left_alone(world: World, net: HostNet) -> None:
    """A container of the same host passes through as before, and reaches no device."""
    net.apply(POLICY)
    with Namespace("container") as container, mirror(world.internet) as senders, mirror(world.clients[0]):
        world.gateway.ip(f"link add docker0 type veth peer name c0 netns {container.name}")
        world.gateway.ip("addr add 172.17.0.1/16 dev docker0\nlink set docker0 up")
        container.ip("link set c0 up\naddr add 172.17.0.2/16 dev c0\nroute add default via 172.17.0.1")
        # No NAT is ours to give it: the question arrives, the answer has no way back.
        asks(container, WEB4, seconds=0.3)
        until(lambda: "172.17.0.2" in senders, 5, "its packet is forwarded")
        before = net.count(Refusal.UNASKED)
        assert asks(container, "10.98.0.2", seconds=1.0) is None
        assert net.count(Refusal.UNASKED) == before + 1


def _offers(world: World, web: str) -> dict[str, int]:
    """The MSS of both ends as the other one gets it."""
    device = world.star.clients[0]
    with sniffing(world.internet, "i0") as outside, sniffing(device.namespace, "wgt0") as inside:
        assert connect(device.namespace, (web, 80)) == 0
        until(lambda: _mss(outside, 0x02) and _mss(inside, 0x12), 5, "both offers are seen")
        return {"syn": _mss(outside, 0x02), "syn-ack": _mss(inside, 0x12)}


def _mss(packets: list[bytes], flags: int) -> int:
    for packet in packets:
        start = {4: 20, 6: 40}.get(packet[0] >> 4, 0)
        protocol = packet[9] if start == 20 else packet[6]
        segment = packet[start:]
        if not start or protocol != socket.IPPROTO_TCP or segment[13] & 0x12 != flags:
            continue
        options = segment[20 : (segment[12] >> 4) * 4]
        # Linux puts it first.
        assert options[:2] == b"\x02\x04"
        return int(struct.unpack("!H", options[2:4])[0])
    return 0


def _error(host: Namespace, web: str, *, seconds: float = 5.0) -> int:
    """What a datagram to a closed port of `web` ends with."""
    family = socket.AF_INET6 if ":" in web else socket.AF_INET
    with host.entered(), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        sock.connect((web, 9))
        sock.send(b"?")
        try:
            sock.recv(100)
        except TimeoutError:
            return errno.ETIMEDOUT
        except OSError as error:
            return error.errno or -1
    return 0


def _solicit(host: Namespace, target: str) -> None:
    with host.entered(), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
        sock.sendto(bytes([135, 0, 0, 0, 0, 0, 0, 0]) + socket.inet_pton(socket.AF_INET6, target), (target, 0))


def _solicitations(seen: list[bytes]) -> list[bytes]:
    """Those that were routed: the link's own have a hop limit of 255 still."""
    return [p for p in seen if p[0] >> 4 == 6 and p[6] == 58 and p[40] == 135 and p[7] < 255]
