"""Others on the link: routers that nobody asked for, and messages that they forge."""

from __future__ import annotations

import ipaddress
import socket
import struct

from leak.case import Fault, connected_again
from leak.faults.underlay import then
from leak.world import World
from support import faults
from support.topology import ETH0, WEB4, WEB6
from support.until import until

_ROGUE4, _ROGUE6 = "10.1.0.66", "fe80::66"
_ETH_IP6 = 0x86DD


def resolver_by_advertisement(world: World) -> None:
    """RDNSS (RFC 8106): a name server of the router's own, with a router lifetime, repeated."""
    server = socket.inet_pton(socket.AF_INET6, f"{ETH0.lan6}1")
    option = struct.pack("!BBHI", 25, 3, 0, 600) + server
    header = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0x40, 1800, 0, 0)
    with world.lab.router.entered(), socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("r-eth0"))
        for _ in range(5):
            sock.sendto(header + option, ("ff02::1", 0))
    until(lambda: "proto ra" in world.lab.client.run("ip -6 route show default").stdout, 10.0, "the route is taken")


def redirects(world: World) -> None:
    """ICMP redirects of both families: the web and the gateway are to be reached by a neighbour (RFC 792, RFC 4861)."""
    with world.lab.router.entered(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        for target in (WEB4, "203.0.113.10", "198.51.100.53"):
            quoted = struct.pack("!BBHHHBBH", 0x45, 0, 28, 1, 0, 64, 17, 0)
            quoted += socket.inet_aton(ETH0.client4) + socket.inet_aton(target) + struct.pack("!HHHH", 9, 9000, 8, 0)
            body = socket.inet_aton(_ROGUE4) + quoted
            sock.sendto(_with_checksum(struct.pack("!BBH", 5, 1, 0) + body, b""), (ETH0.client4, 0))
    router = _link_local(world)
    body = socket.inet_pton(socket.AF_INET6, _ROGUE6) + socket.inet_pton(socket.AF_INET6, WEB6)
    with world.lab.router.entered(), socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
        sock.bind((router, 0, 0, socket.if_nametoindex("r-eth0")))
        sock.sendto(struct.pack("!BBHI", 137, 0, 0, 0) + body, (ETH0.client6, 0))


def forget_redirects(world: World) -> None:
    """What they left behind goes."""
    world.lab.client.run("ip route flush cache; ip -6 route flush cache", check=False)
    world.connected_again()


def unreachables(world: World) -> None:
    """Forged ICMP errors against the tunnel's own packets: unreachable, and "packet too big" with 68 bytes."""
    with world.lab.router.entered(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        for code, mtu in ((1, 0), (3, 0), (13, 0), (4, 68)):
            quoted = struct.pack("!BBHHHBBH", 0x45, 0, 60, 1, 0, 64, 17, 0) + socket.inet_aton(ETH0.client4)
            quoted += socket.inet_aton("203.0.113.10") + struct.pack("!HHHH", 51820, 51820, 40, 0)
            sock.sendto(_with_checksum(struct.pack("!BBHHH", 3, code, 0, 0, mtu) + quoted, b""), (ETH0.client4, 0))


def neighbour_poisoned(world: World) -> None:
    """The router's address is said to be somebody else's: a gratuitous ARP, again and again."""
    with world.lab.router.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(("r-eth0", 0))
        mac = b"\x02\0\0\0\0\x66"
        address = socket.inet_aton(ETH0.router4)
        arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + mac + address + b"\xff" * 6 + address
        for _ in range(20):
            sock.send(b"\xff" * 6 + mac + b"\x08\x06" + arp)


def neighbour_found(world: World) -> None:
    """The real one is asked for again."""
    world.lab.client.ip("neigh flush dev eth0", check=False)
    world.connected_again()


def _link_local(world: World) -> str:
    words = world.lab.router.run("ip -6 -o addr show dev r-eth0 scope link").stdout.split()
    return str(ipaddress.ip_interface(words[words.index("inet6") + 1]).ip)


def _with_checksum(message: bytes, pseudo: bytes) -> bytes:
    data = pseudo + message + bytes(len(message) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return message[:2] + struct.pack("!H", ~total & 0xFFFF) + message[4:]


FAULTS = [
    Fault(
        "neighbour: rogue router, prefix and default route",
        faults.rogue_router,
        then(faults.no_rogue_router, connected_again),
    ),
    Fault(
        "neighbour: rogue router, name server", resolver_by_advertisement, then(faults.no_rogue_router, connected_again)
    ),
    Fault("neighbour: ICMP redirects", redirects, forget_redirects),
    Fault("neighbour: forged ICMP errors", unreachables),
    Fault("neighbour: ARP says that the router is another", neighbour_poisoned, neighbour_found),
]
