"""What kind of leak an Ethernet frame on the underlay is, if it is one. Pure."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

PROBE = b"leakprobe"
"""In every payload of the leak generator, so that nothing of it can pass for a tunnel's packet."""

_ETHERNET = 14
_PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmp6"}
_LAN4 = tuple(ipaddress.IPv4Network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"))
_LAN6 = (ipaddress.IPv6Network("fc00::/7"), ipaddress.IPv6Network("fe80::/10"))
_EXTENSION_HEADERS = {0, 43, 60}
WAYS = {9001: "packet", 9002: "forwarded", 9003: "bound"}
"""Ports by which the leak generator marks how a packet left: by a packet socket, for a container, bound to a device."""


@dataclass(frozen=True)
class Allowed:
    """What a protected client may send in clear."""

    gateways: frozenset[tuple[str, int]]
    """(address, UDP port) of WireGuard endpoints; addresses as `ipaddress` prints them."""
    lan: bool = False
    """Private ranges and multicast may be reached; DNS may not."""


@dataclass(frozen=True)
class _Packet:
    family: int
    protocol: int
    source: ipaddress.IPv4Address | ipaddress.IPv6Address
    destination: ipaddress.IPv4Address | ipaddress.IPv6Address
    payload: bytes
    """From the transport header on; may be cut short by the capture."""
    ttl: int


def classify(frame: bytes, allowed: Allowed) -> str | None:
    """The leak's class (`udp`, `dns/tcp6`, `lan/udp`, `bound/tcp`, `unmarked/udp`, …), or None for what may pass.

    What may pass: ARP, DHCP, neighbour discovery with hop limit 255 (RFC 4861) and real WireGuard messages to an allowed
    gateway. A datagram to the gateway's port that is no WireGuard message, or that is the generator's, is `unmarked/…`.
    """
    if len(frame) < _ETHERNET:
        return "runt"
    (ether_type,) = struct.unpack_from("!H", frame, 12)
    if ether_type == 0x0806:
        return None
    packet = _ipv4(frame[_ETHERNET:]) if ether_type == 0x0800 else None
    packet = _ipv6(frame[_ETHERNET:]) if ether_type == 0x86DD else packet
    if packet is None:
        return f"ethertype/{ether_type:04x}"
    return _classify(packet, allowed)


def is_wireguard(payload: bytes) -> bool:
    """Whether a UDP payload has the shape of a WireGuard message: type 1 to 4, three reserved zeros, its length.

    Handshake messages have exact sizes; data is at least a header with a tag and is padded to 16 bytes. A longer data
    message may be several that the kernel has not split yet, so only its start counts.
    """
    if len(payload) < 32 or payload[1:4] != b"\0\0\0" or PROBE in payload:
        return False
    kind = payload[0]
    return kind == 4 or (kind, len(payload)) in {(1, 148), (2, 92), (3, 64)}


def _classify(packet: _Packet, allowed: Allowed) -> str | None:
    suffix = "6" if packet.family == 6 and packet.protocol != 58 else ""
    name = _PROTOCOLS.get(packet.protocol, f"protocol-{packet.protocol}") + suffix
    if packet.protocol == 58 and packet.payload:
        if 133 <= packet.payload[0] <= 137 and packet.ttl == 255:
            return None
        if packet.payload[0] in {130, 131, 132, 143}:
            name = "mld"
    multicast = packet.destination.is_multicast or packet.destination == ipaddress.IPv4Address("255.255.255.255")
    port = None
    if packet.protocol in {6, 17} and len(packet.payload) >= 8:
        source_port, port = struct.unpack_from("!HH", packet.payload)
        if packet.protocol == 17:
            if (packet.family, source_port, port) in {(4, 68, 67), (6, 546, 547)}:
                return None
            if (str(packet.destination), port) in allowed.gateways:
                return None if is_wireguard(packet.payload[8:]) else f"unmarked/{name}"
        if port in {53, 853}:
            return f"dns/{name}"
        if port in WAYS:
            return f"{WAYS[port]}/{name}"
    if any(str(packet.destination) == address for address, _ in allowed.gateways):
        return f"gateway/{name}"
    if multicast:
        return None if allowed.lan else f"multicast/{name}"
    lan = _LAN4 if packet.family == 4 else _LAN6
    if any(packet.destination in network for network in lan):
        return None if allowed.lan else f"lan/{name}"
    return name


def _ipv4(data: bytes) -> _Packet | None:
    if len(data) < 20 or data[0] >> 4 != 4:
        return None
    header = (data[0] & 15) * 4
    source, destination = ipaddress.IPv4Address(data[12:16]), ipaddress.IPv4Address(data[16:20])
    (fragment,) = struct.unpack_from("!H", data, 6)
    payload = b"" if fragment & 0x1FFF else data[header:]
    return _Packet(4, data[9], source, destination, payload, data[8])


def _ipv6(data: bytes) -> _Packet | None:
    if len(data) < 40 or data[0] >> 4 != 6:
        return None
    protocol, at = data[6], 40
    while protocol in _EXTENSION_HEADERS and len(data) >= at + 8:
        protocol, at = data[at], at + 8 + data[at + 1] * 8
    source, destination = ipaddress.IPv6Address(data[8:24]), ipaddress.IPv6Address(data[24:40])
    return _Packet(6, protocol, source, destination, data[at:], data[7])
