"""Packets as firewalls see them, reduced to what any of our rules asks for; those at the rules' edges, and random ones."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import product
from random import Random
from typing import NamedTuple, Protocol

from slopn_helper.host.firewall import Blocked, Tunnelled

TCP, UDP, ICMP, GRE, ICMP6 = 6, 17, 1, 47, 58
INTERFACE = "slopn0"
NDP = (133, 134, 135, 136, 137)


class Way(enum.Enum):
    """Seen from this host."""

    OUT = "out"
    IN = "in"


class Device(enum.Enum):
    """What a packet leaves or comes by."""

    LOOPBACK = "lo"
    TUNNEL = INTERFACE
    ETHERNET = "eth0"
    OTHER_TUNNEL = "wg7"


class Who(enum.Enum):
    """Whose packet it is: the helper's program, run by the system, is ours; nobody else is."""

    US = "us"
    OUR_PROGRAM = "our program, run by somebody else"
    SYSTEM = "another program of the system's"
    ANYBODY = "anybody"


class Packet(NamedTuple):
    """One packet; addresses are numbers of IP version `version`. An ICMP message has its type as `kind`, others 0."""

    way: Way
    version: int
    protocol: int
    here: int
    there: int
    here_port: int
    there_port: int
    kind: int
    device: Device
    who: Who
    hops: int = 64
    answers: bool = False
    """It belongs to a connection that the other end's packet began."""

    @property
    def opener(self) -> Packet:
        """The packet that it answers."""
        assert self.answers
        return self._replace(way=Way.IN if self.way is Way.OUT else Way.OUT, answers=False)

    @property
    def answer(self) -> Packet:
        """What the other end says to it, by the same device."""
        return self._replace(way=Way.IN if self.way is Way.OUT else Way.OUT, answers=True)


class Evaluator(Protocol):
    """One firewall with one policy in force."""

    def passes(self, packet: Packet) -> bool:
        """Whether it lets the packet out, or in."""
        ...


LOCAL = {4: int(ip_address("192.168.1.20")), 6: int(ip_address("fe80::20"))}
"""This host's address on its Ethernet."""
_LOOPBACK = {4: int(ip_address("127.0.0.1")), 6: int(ip_address("::1"))}
_EDGES = (
    *("10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/24", "239.0.0.0/8"),
    *("255.255.255.255/32", "fc00::/7", "fe80::/10", "ff02::/16", "ff05::/16", "ff02::1:ff00:0/104"),
    *("ff02::1/128", "ff02::2/128", "ff02::1:2/128", "ff05::1:3/128", "198.51.100.7/32", "2001:db8:51::7/128"),
)
_TYPES = {4: (0, 8, 13), 6: (128, 129, *NDP, 143)}
"""Of ICMP, without errors: Windows asks no filter of ours about them."""
_PORTS = (1, 53, 67, 68, 80, 443, 546, 547, 853, 5355, 17768, 51820, 65535)
_TWO = (Who.US, Who.ANYBODY)
_PAIRS = ((68, 67), (67, 68), (546, 547), (547, 546), (17768, 17768), (53, 53))


def edges(policy: Blocked | Tunnelled, *, thin: int = 1) -> Iterator[Packet]:
    """Packets on both sides of each edge that a rule of `policy` may have; with `thin` each so many-th, in a fixed order."""
    for number, packet in enumerate(_edges(policy)):
        if number % thin == 0:
            yield packet


def random_packets(policy: Blocked | Tunnelled, number: int, random: Random) -> Iterator[Packet]:
    """As many packets, with addresses and ports from the edges or from anywhere."""
    pools = {version: _addresses(policy, version) for version in (4, 6)}
    owns = {version: _own(policy, version) for version in (4, 6)}
    ports = _ports(policy)
    made = 0
    while made < number:
        version = random.choice((4, 6))
        way, device, who = random.choice(tuple(Way)), random.choice(tuple(Device)), random.choice(tuple(Who))
        protocol = random.choice((TCP, UDP, UDP, GRE, _icmp(version)))
        there = (
            random.choice(pools[version]) if random.random() < 0.8 else random.getrandbits(32 if version == 4 else 128)
        )
        kind = random.choice(_TYPES[version]) if protocol == _icmp(version) else 0
        here_port, there_port = (_port(ports, random), _port(ports, random)) if protocol in {TCP, UDP} else (0, 0)
        here = random.choice(_heres(version, way, device, owns[version]))
        hops = random.choice((255, 64)) if kind in NDP else 64
        packet = Packet(way, version, protocol, here, there, here_port, there_port, kind, device, who, hops)
        if possible(packet):
            made += 1
            yield packet


def possible(packet: Packet) -> bool:
    """Whether a stack takes or makes it: it drops neighbours' packets that a router has passed on (RFC 4861, 7.1)."""
    return not (packet.kind in NDP and packet.way is Way.IN and packet.hops != 255)


def _edges(policy: Blocked | Tunnelled) -> Iterator[Packet]:
    ports = _ports(policy)
    varied = {Way.OUT: [(40000, port) for port in ports], Way.IN: [(port, 40000) for port in ports]}
    for way, version in product(Way, (4, 6)):
        own = _own(policy, version)
        asked = [(protocol, pair, 0, 64) for protocol, pair in product((TCP, UDP), [*varied[way], *_PAIRS])]
        asked += [(_icmp(version), (0, 0), kind, 255) for kind in _TYPES[version]]
        asked += [(_icmp(version), (0, 0), kind, 64) for kind in NDP if version == 6]
        asked += [(GRE, (0, 0), 0, 64)]
        for there, (protocol, (here_port, there_port), kind, hops) in product(_addresses(policy, version), asked):
            # Nobody's packets but ours differ from others', so that all four are asked about at our own ports alone.
            whose = (
                (Who.ANYBODY,) if way is Way.IN or kind else tuple(Who) if there_port in _own_ports(policy) else _TWO
            )
            for device, who in product(Device, whose):
                for here in _heres(version, way, device, own):
                    packet = Packet(way, version, protocol, here, there, here_port, there_port, kind, device, who, hops)
                    if possible(packet):
                        yield packet


def _heres(version: int, way: Way, device: Device, own: tuple[int, ...]) -> tuple[int, ...]:
    """Addresses of this host's that such a packet can have. Outward a device's own alone: `host/routes` sees to that."""
    if device is Device.LOOPBACK:
        return (_LOOPBACK[version],)
    if way is Way.OUT:
        return own if device is Device.TUNNEL and own else (LOCAL[version],)
    broadcast = (int(ip_address("255.255.255.255")),) if version == 4 else ()
    return (LOCAL[version], *own, *broadcast)


def _addresses(policy: Blocked | Tunnelled, version: int) -> tuple[int, ...]:
    networks = [*map(ip_network, _EDGES), *policy.excluded, *policy.only]
    named = [*policy.addresses, *policy.resolvers, *(ip_address(e.host) for e in (*policy.endpoints, *policy.apis))]
    if isinstance(policy, Tunnelled):
        named += policy.dns
    else:
        named += [*policy.portal, *(policy.inside.addresses if policy.inside else ())]
    networks += map(ip_network, named)
    return tuple(dict.fromkeys(_around(network for network in networks if network.version == version)))


def _around(networks: Iterable[IPv4Network | IPv6Network]) -> Iterator[int]:
    for network in networks:
        first, last = int(network.network_address), int(network.broadcast_address)
        yield from (first, last)
        yield from (n for n in (first - 1, last + 1) if 0 <= n < 1 << network.max_prefixlen)


def _own(policy: Blocked | Tunnelled, version: int) -> tuple[int, ...]:
    return tuple(int(address) for address in policy.addresses if address.version == version)


def _ports(policy: Blocked | Tunnelled) -> tuple[int, ...]:
    named = {endpoint.port for endpoint in (*policy.endpoints, *policy.apis)}
    return tuple(sorted({n for port in {*_PORTS, *named} for n in (port, port + 1) if n < 1 << 16}))


def _own_ports(policy: Blocked | Tunnelled) -> set[int]:
    return {53, 80, *(endpoint.port for endpoint in (*policy.endpoints, *policy.apis))}


def _port(ports: tuple[int, ...], random: Random) -> int:
    return random.choice(ports) if random.random() < 0.8 else random.randrange(1 << 16)


def _icmp(version: int) -> int:
    return ICMP if version == 4 else ICMP6
