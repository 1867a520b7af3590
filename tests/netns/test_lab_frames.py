from __future__ import annotations

import ipaddress
import struct

import pytest

from support.frames import PROBE, Allowed, classify, is_wireguard

GATEWAYS = frozenset({("203.0.113.10", 51820), ("2001:db8:9::10", 51820)})
STRICT, LAN = Allowed(GATEWAYS), Allowed(GATEWAYS, lan=True)
INITIATION = b"\1\0\0\0" + bytes(144)
DATA = b"\4\0\0\0" + bytes(60)


def frame4(to: str, protocol: int, payload: bytes, *, fragment: int = 0) -> bytes:
    """An Ethernet frame with an IPv4 packet."""
    addresses = ipaddress.IPv4Address("10.1.0.2").packed + ipaddress.IPv4Address(to).packed
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, fragment, 64, protocol, 0)
    return bytes(12) + b"\x08\x00" + header + addresses + payload


def frame6(to: str, protocol: int, payload: bytes, *, hops: int = 64) -> bytes:
    """An Ethernet frame with an IPv6 packet."""
    addresses = ipaddress.IPv6Address("2001:db8:1::2").packed + ipaddress.IPv6Address(to).packed
    return bytes(12) + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) + addresses + payload


def udp(to_port: int, payload: bytes = PROBE, from_port: int = 40000) -> bytes:
    """A UDP header with its payload."""
    return struct.pack("!HHHH", from_port, to_port, 8 + len(payload), 0) + payload


def tcp(to_port: int) -> bytes:
    """A TCP header, as far as the ports matter."""
    return struct.pack("!HH", 40000, to_port) + bytes(16)


LEAKS = [
    ("udp", frame4("198.51.100.1", 17, udp(9000))),
    ("tcp", frame4("198.51.100.1", 6, tcp(80))),
    ("icmp", frame4("198.51.100.1", 1, b"\x08\0" + bytes(6))),
    ("udp", frame4("198.51.100.1", 17, b"", fragment=100)),
    ("packet/udp", frame4("198.51.100.1", 17, udp(9001))),
    ("forwarded/tcp", frame4("198.51.100.1", 6, tcp(9002))),
    ("bound/udp6", frame6("2001:db8:ffff::1", 17, udp(9003))),
    ("udp6", frame6("2001:db8:ffff::1", 17, udp(9000))),
    ("tcp6", frame6("2001:db8:ffff::1", 6, tcp(80))),
    ("udp6", frame6("2001:db8:ffff::1", 0, b"\x11\0" + bytes(6) + udp(9000))),
    ("icmp6", frame6("2001:db8:ffff::1", 58, b"\x80\0" + bytes(6))),
    ("dns/udp", frame4("198.51.100.53", 17, udp(53))),
    ("dns/udp", frame4("10.1.0.1", 17, udp(53))),
    ("dns/tcp", frame4("198.51.100.53", 6, tcp(853))),
    ("dns/udp6", frame6("fd00:db8:1::1", 17, udp(53))),
    ("lan/udp", frame4("10.1.0.1", 17, udp(8080))),
    ("lan/tcp", frame4("192.168.7.7", 6, tcp(9100))),
    ("lan/udp6", frame6("fe80::1", 17, udp(8080))),
    ("lan/igmp", frame4("10.1.0.1", 2, bytes(8))),
    ("multicast/udp", frame4("224.0.0.251", 17, udp(5353))),
    ("multicast/udp", frame4("255.255.255.255", 17, udp(9))),
    ("multicast/udp6", frame6("ff02::fb", 17, udp(5353))),
    ("multicast/mld", frame6("ff02::16", 58, b"\x8f\0" + bytes(6), hops=1)),
    ("unmarked/udp", frame4("203.0.113.10", 17, udp(51820))),
    ("unmarked/udp", frame4("203.0.113.10", 17, udp(51820, DATA + PROBE))),
    ("unmarked/udp", frame4("203.0.113.10", 17, udp(51820, INITIATION[:-1]))),
    ("unmarked/udp6", frame6("2001:db8:9::10", 17, udp(51820))),
    ("gateway/udp", frame4("203.0.113.10", 17, udp(22, DATA))),
    ("gateway/tcp", frame4("203.0.113.10", 6, tcp(51820))),
    ("gateway/icmp", frame4("203.0.113.10", 1, b"\x08\0" + bytes(6))),
    ("icmp6", frame6("2001:db8:1::1", 58, b"\x87\0" + bytes(22), hops=64)),
    ("ethertype/88cc", bytes(12) + b"\x88\xcc" + bytes(50)),
    ("runt", bytes(10)),
]

ALLOWED = [
    ("ARP", bytes(12) + b"\x08\x06" + bytes(28)),
    ("DHCP", frame4("255.255.255.255", 17, udp(67, bytes(240), from_port=68))),
    ("DHCPv6", frame6("ff02::1:2", 17, udp(547, bytes(40), from_port=546))),
    ("a neighbour solicitation", frame6("ff02::1:ff00:1", 58, b"\x87\0" + bytes(22), hops=255)),
    ("a router solicitation", frame6("ff02::2", 58, b"\x85\0" + bytes(6), hops=255)),
    ("a handshake initiation", frame4("203.0.113.10", 17, udp(51820, INITIATION))),
    ("a handshake response", frame4("203.0.113.10", 17, udp(51820, b"\2\0\0\0" + bytes(88)))),
    ("a cookie reply", frame4("203.0.113.10", 17, udp(51820, b"\3\0\0\0" + bytes(60)))),
    ("data", frame4("203.0.113.10", 17, udp(51820, DATA))),
    ("data over IPv6", frame6("2001:db8:9::10", 17, udp(51820, DATA))),
]


@pytest.mark.parametrize(("kind", "frame"), LEAKS)
def test_leak_is_named(kind: str, frame: bytes) -> None:
    """Each kind of traffic that must not leave in clear is counted under its own name."""
    assert classify(frame, STRICT) == kind


@pytest.mark.parametrize(("what", "frame"), ALLOWED, ids=[what for what, _ in ALLOWED])
def test_what_may_pass_is_no_leak(what: str, frame: bytes) -> None:
    """What a protected host has to send, and WireGuard itself, are not counted."""
    assert classify(frame, STRICT) is None, what


@pytest.mark.parametrize(("kind", "frame"), LEAKS)
def test_an_allowed_lan_excuses_lan_and_multicast_only(kind: str, frame: bytes) -> None:
    """With the LAN allowed, private ranges and multicast pass, DNS to them and everything else do not."""
    expected = None if kind.startswith(("lan/", "multicast/")) else kind
    assert classify(frame, LAN) == expected


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        PROBE,
        DATA[:31],
        b"\0" + DATA[1:],
        b"\5" + DATA[1:],
        b"\4\0\1\0" + DATA[4:],
        INITIATION + b"\0",
        DATA + PROBE,
    ],
)
def test_other_payloads_are_not_wireguard(payload: bytes) -> None:
    """A datagram is WireGuard only with type, reserved bytes and length as the protocol has them, and without the probe."""
    assert not is_wireguard(payload)
