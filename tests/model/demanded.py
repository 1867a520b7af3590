"""What a policy demands of a packet, as docs/security.md and docs/firewall.md say it, whatever firewall carries it out."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from model.packets import ICMP, ICMP6, TCP, UDP, Device, Packet, Way, Who
from slopn_helper.host.firewall import Blocked, Tunnelled
from slopn_wire.profile import IPAddress, IPNetwork

_LAN = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
_MULTICAST = ("224.0.0.0/24", "239.0.0.0/8", "255.255.255.255/32", "ff02::/16", "ff05::/16")
_AGREEMENT = 17768
_Range = tuple[int, int, int]


class Demand:
    """The verdicts of one closed policy on packets that begin something."""

    def __init__(self, policy: Blocked | Tunnelled) -> None:
        self._policy = policy
        self._tunnelled = isinstance(policy, Tunnelled)
        self._dns = _of(policy.dns) if isinstance(policy, Tunnelled) else frozenset()
        self._sealed = policy.inside is not None if isinstance(policy, Blocked) else False
        inside = policy.inside.addresses if isinstance(policy, Blocked) and policy.inside else ()
        self._gateways = _of(inside)
        self._addresses = _of(policy.addresses)
        self._excluded, self._only = _ranges(policy.excluded), _ranges(policy.only)
        self._lan = policy.allow_lan and not policy.only
        endpoints = {(ip_address(e.host), UDP, e.port) for e in policy.endpoints}
        apis = {(ip_address(e.host), TCP, e.port) for e in policy.apis}
        names = {(address, protocol, 53) for address in policy.resolvers for protocol in (TCP, UDP)}
        portal = {(address, TCP, 80) for address in policy.portal} if isinstance(policy, Blocked) else set()
        self.asked = frozenset(
            (a.version, int(a), protocol, port) for a, protocol, port in endpoints | apis | names | portal
        )
        """Whom the helper itself may ask beside the tunnel: IP version, address, protocol, port."""

    def lets(self, packet: Packet) -> bool:
        """Whether it must be let out, or in; if not it must be held back."""
        assert not packet.answers
        if packet.device is Device.LOOPBACK:
            return True
        return self._out(packet) if packet.way is Way.OUT else self._in(packet)

    def _out(self, p: Packet) -> bool:
        there = (p.version, p.there)
        if self._sealed and p.device is Device.TUNNEL:
            return self._agrees(p)
        if p.who is Who.US and (*there, p.protocol, p.there_port) in self.asked:
            return True
        if _asks_for_address(p) or _looks_for_neighbours(p):
            return True
        through = self._tunnelled and p.device is Device.TUNNEL
        if p.protocol in {TCP, UDP} and p.there_port in {53, 853, 5355}:
            if through and p.there_port != 5355 and (not self._dns or there in self._dns):
                return True
            if self._dns or not self._policy.only:
                return False
        if through or _within(there, self._excluded):
            return True
        if self._policy.only:
            return not _within(there, self._only)
        return self._lan and _within(there, _LAN_AND_MULTICAST)

    def _in(self, p: Packet) -> bool:
        there = (p.version, p.there)
        ours = p.device is Device.TUNNEL and (self._tunnelled or self._sealed)
        if (p.version, p.here) in self._addresses and not ours:
            return False
        if ours and self._sealed:
            return self._agrees(p)
        if _gives_address(p) or _is_neighbour(p):
            return True
        if self._lan and p[2:4] == (UDP, _EVERYONE) and (p.there_port, p.here_port) == (68, 67) and p.version == 4:
            return True
        if ours:
            ping = (p.protocol, p.kind) in {(ICMP, 8), (ICMP6, 128)}
            return ping and (p.version, p.here) in self._addresses
        neighbour = p.device is Device.ETHERNET
        if neighbour and _within(there, self._excluded):
            return True
        if self._policy.only:
            return not _within(there, self._only)
        return self._lan and neighbour and _within(there, _PRIVATE)

    def _agrees(self, p: Packet) -> bool:
        ports = p.here_port == p.there_port == _AGREEMENT
        return p.protocol == UDP and ports and (p.version, p.there) in self._gateways


def _of(addresses: Iterable[IPAddress]) -> frozenset[tuple[int, int]]:
    return frozenset((address.version, int(address)) for address in addresses)


def _ranges(networks: Iterable[IPNetwork]) -> tuple[_Range, ...]:
    return tuple((n.version, int(n.network_address), int(n.broadcast_address)) for n in networks)


def _within(there: tuple[int, int], ranges: tuple[_Range, ...]) -> bool:
    version, address = there
    return any(of == version and first <= address <= last for of, first, last in ranges)


_PRIVATE = _ranges(map(ip_network, _LAN))
_LAN_AND_MULTICAST = (*_PRIVATE, *_ranges(map(ip_network, _MULTICAST)))
_LINK_LOCAL = _ranges([ip_network("fe80::/10")])
_SOLICITED = _ranges([ip_network("fe80::/10"), ip_network("ff02::1:ff00:0/104")])
_ADVERTISED = _ranges([ip_network("fe80::/10"), ip_network("ff02::1/128")])
_ROUTERS = _ranges([ip_network("ff02::2/128")])
_DHCP6 = _ranges([ip_network("ff02::1:2/128"), ip_network("ff05::1:3/128")])
_EVERYONE = int(ip_address("255.255.255.255"))


def _asks_for_address(p: Packet) -> bool:
    if p.protocol != UDP:
        return False
    if p.version == 4:
        return (p.here_port, p.there_port, p.there) == (68, 67, _EVERYONE)
    ports = (p.here_port, p.there_port) == (546, 547)
    return ports and _within((6, p.here), _LINK_LOCAL) and _within((6, p.there), _DHCP6)


def _gives_address(p: Packet) -> bool:
    if p.protocol != UDP:
        return False
    if p.version == 4:
        return (p.there_port, p.here_port) == (67, 68)
    ports = (p.there_port, p.here_port) == (547, 546)
    return ports and _within((6, p.here), _LINK_LOCAL) and _within((6, p.there), _LINK_LOCAL)


def _looks_for_neighbours(p: Packet) -> bool:
    to = {133: _ROUTERS, 135: _SOLICITED, 136: _ADVERTISED}.get(p.kind)
    return p.protocol == ICMP6 and p.hops == 255 and to is not None and _within((6, p.there), to)


def _is_neighbour(p: Packet) -> bool:
    if p.protocol != ICMP6 or p.hops != 255:
        return False
    return p.kind in {135, 136} or (p.kind in {134, 137} and _within((6, p.there), _LINK_LOCAL))
