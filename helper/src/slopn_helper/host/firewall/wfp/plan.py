"""A firewall policy as filters of the Windows Filtering Platform: what nftables' rules say, in its words. Pure.

Outward a packet must pass two layers: where a connection begins, which knows the program, and where packets leave, which
sees all of them. Inward one is asked where connections are accepted; answers belong to the connection that began here, and
end with its leave. The order of the weights is the order of nftables' rules (docs/firewall.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from enum import IntEnum
from ipaddress import ip_network
from typing import NamedTuple

from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Open, Tunnelled
from slopn_helper.host.firewall.rules import LAN, MULTICAST, asked
from slopn_helper.host.firewall.wfp.filters import LOOPBACK, Action, Condition, Field, Filter, Layer, Lifetime, Match
from slopn_helper.host.firewall.words import collapsed, endpoint, plain
from slopn_helper.psk import PORT
from slopn_wire.profile import IPAddress, IPNetwork

SYSTEM = "O:SYG:SYD:(A;;CC;;;SY)"
"""Who is ours beside the program: LocalSystem. Anybody may start our program and put code of theirs into it."""

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
PROTOCOLS = {"tcp": TCP, "udp": UDP}
TUNNELS = (23, 53, 131)
"""ifTypes of IANA's that other VPNs have (ppp, propVirtual, tunnel): what comes out of one is no neighbour."""
DNS_PORTS = (53, 853, 5355)

_VERSIONS = (4, 6)
_EVERYONE = (ip_network("255.255.255.255"),)
_LINK_LOCAL = ip_network("fe80::/10")
_SOLICITED = ip_network("ff02::1:ff00:0/104")
_ROUTERS, _NODES = ip_network("ff02::2"), ip_network("ff02::1")
_DHCP6_SERVERS = (ip_network("ff02::1:2"), ip_network("ff05::1:3"))
_SOLICIT_ROUTER, _ROUTER, _SOLICIT, _ADVERT, _REDIRECT = 133, 134, 135, 136, 137
_ECHO = {4: (ICMP, 8), 6: (ICMP6, 128)}


class Weight(IntEnum):
    """The heaviest that holds decides."""

    LOOPBACK = 15
    SPOOFED = 14
    AGREEMENT = 13
    SEALED = 12
    OURS = 11
    """And what the link needs: DHCP, neighbours."""
    ASKED_INSIDE = 10
    """The tunnel's resolvers; inward pings out of the tunnel, and a hotspot's clients."""
    DNS = 9
    """Refuses. Inward: all else out of the tunnel."""
    TUNNEL = 8
    OTHER_TUNNELS = 7
    EXCLUDED = 6
    ONLY = 5
    LAN = 4
    REST = 0


class Us(NamedTuple):
    """What this host calls us."""

    program: bytes
    """The helper's program as Windows knows programs (FwpmGetAppIdFromFileName)."""
    interface: int | None = None
    """The LUID of the interface that the policy names; None if it names none."""


def interface_of(policy: FirewallPolicy) -> str | None:
    """The name of the interface that filters of `policy` look for."""
    match policy:
        case Tunnelled(interface=interface):
            return interface
        case Blocked(inside=inside) if inside is not None:
            return inside.interface
    return None


def plan(policy: FirewallPolicy, us: Us, *, persist: bool) -> tuple[Filter, ...]:
    """The filters of `policy`; none for `Open`. With `persist`, what a host without a tunnel needs is there again at boot.

    Raises `ValueError` for an endpoint that is no address, and for an interface without a LUID.
    """
    if isinstance(policy, Open):
        return ()
    if not persist:
        return tuple(_Filters(policy, us))
    # Nothing of a tunnel may outlast it: its LUID may be another device's after the next start.
    lasting = Blocked(allow_lan=policy.allow_lan, excluded=policy.excluded, only=policy.only)
    boot = dict.fromkeys(_Filters(lasting, us))
    return (
        *(f._replace(lifetime=Lifetime.PERSISTENT) for f in boot),
        *(f._replace(lifetime=Lifetime.BOOT) for f in boot),
        *(f for f in _Filters(policy, us) if f not in boot),
    )


class _Filters:
    """All filters of a closed policy, each once."""

    def __init__(self, policy: Blocked | Tunnelled, us: Us) -> None:
        if interface_of(policy) is not None and us.interface is None:
            raise ValueError(f"the interface {interface_of(policy)} has no LUID")
        self._policy = policy
        self._ours = (Condition(Field.PROGRAM, us.program), Condition(Field.USER, SYSTEM))
        self._luid = us.interface or 0
        self._tunnelled = isinstance(policy, Tunnelled)
        self._dns = policy.dns if isinstance(policy, Tunnelled) else ()
        self._inside = policy.inside if isinstance(policy, Blocked) else None
        self._excluded = _by_version(policy.excluded)
        self._only = _by_version(policy.only)

    def __iter__(self) -> Iterator[Filter]:
        made = itertools.chain(self._loopback(), self._outward(), self._inward(), self._forward(), self._rest())
        return iter(dict.fromkeys(made))

    def _loopback(self) -> Iterator[Filter]:
        flag = Condition(Field.FLAGS, LOOPBACK, Match.FLAGS_ALL_SET)
        for version in _VERSIONS:
            yield from _out(version, Weight.LOOPBACK, Action.PERMIT, "loopback", flag)
            yield from _in(version, Weight.LOOPBACK, Action.PERMIT, "loopback", flag)

    def _outward(self) -> Iterator[Filter]:
        through = Condition(Field.LOCAL_INTERFACE, self._luid)
        yield from self._sealed(through)
        yield from self._own_packets()
        yield from _link()
        if self._tunnelled:
            for version in _VERSIONS:
                if not self._dns or (servers := _hosts(self._dns, version)):
                    to = _to(servers) if self._dns else ()
                    yield from _dns(version, Weight.ASKED_INSIDE, Action.PERMIT, DNS_PORTS[:2], (*to, through))
                yield from _out(version, Weight.TUNNEL, Action.PERMIT, "tunnel", through)
        if self._dns or not self._policy.only:
            for version in _VERSIONS:
                yield from _dns(version, Weight.DNS, Action.BLOCK, DNS_PORTS)
        for version in _VERSIONS:
            if self._excluded[version]:
                yield from _out(version, Weight.EXCLUDED, Action.PERMIT, "excluded", *_to(self._excluded[version]))
            if self._only[version]:
                yield from _out(version, Weight.ONLY, Action.BLOCK, "only", *_to(self._only[version]))
            if self._policy.allow_lan and not self._policy.only:
                yield from _out(version, Weight.LAN, Action.PERMIT, "lan", *_to(_lan(version, MULTICAST)))

    def _sealed(self, through: Condition) -> Iterator[Filter]:
        """While a preshared key is agreed, nothing else may go through the tunnel, or come out of it."""
        if self._inside is None:
            return
        ports = (*_protocol(UDP), Condition(Field.LOCAL_PORT, PORT), Condition(Field.REMOTE_PORT, PORT))
        come = Condition(Field.ARRIVAL_INTERFACE, self._luid)
        for version in _VERSIONS:
            if gateways := _hosts(self._inside.addresses, version):
                agreed = (*ports, *_to(gateways))
                yield from _out(version, Weight.AGREEMENT, Action.PERMIT, "key agreement", *agreed, through)
                yield from _in(version, Weight.AGREEMENT, Action.PERMIT, "key agreement", *agreed, come)
            yield from _out(version, Weight.SEALED, Action.BLOCK, "sealed", through)
            yield from _in(version, Weight.SEALED, Action.BLOCK, "sealed", come)

    def _own_packets(self) -> Iterator[Filter]:
        endpoints = ((address, "udp", port) for address, port in map(endpoint, self._policy.endpoints))
        for address, protocol, port in (*endpoints, *asked(self._policy)):
            yield from _out(
                address.version,
                Weight.OURS,
                Action.PERMIT,
                "ours",
                *_protocol(PROTOCOLS[protocol]),
                *_to(_hosts((address,), address.version)),
                Condition(Field.REMOTE_PORT, port),
                who=self._ours,
            )

    def _inward(self) -> Iterator[Filter]:
        policy = self._policy
        tunnel = self._tunnelled or self._inside is not None
        come = Condition(Field.ARRIVAL_INTERFACE, self._luid)
        elsewhere = (come._replace(match=Match.NOT_EQUAL),) if tunnel else ()
        for version in _VERSIONS:
            if own := tuple(Condition(Field.LOCAL_ADDRESS, n) for n in _hosts(policy.addresses, version)):
                yield from _in(version, Weight.SPOOFED, Action.BLOCK, "spoofed", *own, *elsewhere)
                if self._tunnelled:
                    protocol, echo = _ECHO[version]
                    ping = (*_protocol(protocol), Condition(Field.LOCAL_PORT, echo), *own, come)
                    yield from _in(version, Weight.ASKED_INSIDE, Action.PERMIT, "ping", *ping)
            if self._tunnelled:
                yield from _in(version, Weight.DNS, Action.BLOCK, "out of the tunnel", come)
            yield from self._neighbours(version)
        if policy.allow_lan and not policy.only:
            # Of a hotspot's clients, or of virtual machines': their requests come from 0.0.0.0.
            ports = (*_protocol(UDP), Condition(Field.LOCAL_PORT, 67), Condition(Field.REMOTE_PORT, 68))
            everyone = Condition(Field.LOCAL_ADDRESS, _EVERYONE[0])
            yield from _in(4, Weight.ASKED_INSIDE, Action.PERMIT, "dhcp server", *ports, everyone)

    def _neighbours(self, version: int) -> Iterator[Filter]:
        """Who may begin a connection to here beside the tunnel."""
        excluded, only = self._excluded[version], self._only[version]
        lan = _lan(version) if self._policy.allow_lan and not self._policy.only else ()
        others = tuple(Condition(Field.ARRIVAL_TYPE, kind) for kind in TUNNELS)
        if only and excluded:
            yield from _in(version, Weight.OTHER_TUNNELS, Action.BLOCK, "other tunnels", *_to(only), *others)
        elif (excluded or lan) and not self._policy.only:
            yield from _in(version, Weight.OTHER_TUNNELS, Action.BLOCK, "other tunnels", *others)
        if excluded:
            yield from _in(version, Weight.EXCLUDED, Action.PERMIT, "excluded", *_to(excluded))
        if only:
            yield from _in(version, Weight.ONLY, Action.BLOCK, "only", *_to(only))
        if lan:
            yield from _in(version, Weight.LAN, Action.PERMIT, "lan", *_to(lan))

    def _forward(self) -> Iterator[Filter]:
        """Nothing is passed on: what comes back out of the tunnel couldn't be told from what begins there."""
        for version in _VERSIONS:
            layer = _layer("FORWARD", version)
            for field in (Field.SOURCE_ADDRESS, Field.DESTINATION_ADDRESS):
                if those := tuple(Condition(field, network) for network in self._only[version]):
                    yield Filter(layer, Weight.ONLY, Action.BLOCK, "only", those)
            if not self._policy.only:
                yield Filter(layer, Weight.REST, Action.BLOCK, "rest")

    def _rest(self) -> Iterator[Filter]:
        if self._policy.only:
            return
        for version in _VERSIONS:
            yield from _out(version, Weight.REST, Action.BLOCK, "rest")
            yield from _in(version, Weight.REST, Action.BLOCK, "rest")


def _link() -> Iterator[Filter]:
    """What the link needs: addresses, neighbours, routers. Windows itself drops what has not the hop limit 255 (RFC 4861)."""
    client = (*_protocol(UDP), Condition(Field.LOCAL_PORT, 68), Condition(Field.REMOTE_PORT, 67))
    yield from _out(4, Weight.OURS, Action.PERMIT, "dhcp", *client, *_to(_EVERYONE))
    yield from _in(4, Weight.OURS, Action.PERMIT, "dhcp", *client)
    here = Condition(Field.LOCAL_ADDRESS, _LINK_LOCAL)
    client = (*_protocol(UDP), Condition(Field.LOCAL_PORT, 546), Condition(Field.REMOTE_PORT, 547), here)
    yield from _out(6, Weight.OURS, Action.PERMIT, "dhcp", *client, *_to(_DHCP6_SERVERS))
    yield from _in(6, Weight.OURS, Action.PERMIT, "dhcp", *client, *_to((_LINK_LOCAL,)))
    for kind, to in (
        (_SOLICIT_ROUTER, (_ROUTERS,)),
        (_SOLICIT, (_LINK_LOCAL, _SOLICITED)),
        (_ADVERT, (_LINK_LOCAL, _NODES)),
    ):
        yield from _out(6, Weight.OURS, Action.PERMIT, "neighbours", *_icmp6(kind), *_to(to))
    for kind in (_ROUTER, _REDIRECT):
        yield from _in(6, Weight.OURS, Action.PERMIT, "routers", *_icmp6(kind), *_to((_LINK_LOCAL,)))
    for kind in (_SOLICIT, _ADVERT):
        yield from _in(6, Weight.OURS, Action.PERMIT, "neighbours", *_icmp6(kind))


def _out(
    version: int, weight: Weight, action: Action, name: str, *conditions: Condition, who: tuple[Condition, ...] = ()
) -> Iterator[Filter]:
    """Outward, in both layers; only the first knows `who` sends."""
    yield Filter(_layer("CONNECT", version), weight, action, name, (*who, *conditions))
    yield Filter(_layer("TRANSPORT", version), weight, action, name, conditions)


def _in(version: int, weight: Weight, action: Action, name: str, *conditions: Condition) -> Iterator[Filter]:
    yield Filter(_layer("ACCEPT", version), weight, action, name, conditions)


def _dns(
    version: int, weight: Weight, action: Action, ports: Iterable[int], where: tuple[Condition, ...] = ()
) -> Iterator[Filter]:
    protocols = (Condition(Field.PROTOCOL, TCP), Condition(Field.PROTOCOL, UDP))
    of_ports = (Condition(Field.REMOTE_PORT, port) for port in ports)
    yield from _out(version, weight, action, "dns", *protocols, *of_ports, *where)


def _by_version(networks: Iterable[IPNetwork]) -> dict[int, tuple[IPNetwork, ...]]:
    four, six = collapsed(networks)
    return {4: four, 6: six}


def _layer(name: str, version: int) -> Layer:
    return Layer[f"{name}_{version}"]


def _protocol(number: int) -> tuple[Condition, ...]:
    return (Condition(Field.PROTOCOL, number),)


def _icmp6(kind: int) -> tuple[Condition, ...]:
    return (*_protocol(ICMP6), Condition(Field.LOCAL_PORT, kind))


def _to(networks: Iterable[IPNetwork]) -> tuple[Condition, ...]:
    """Outward to one of these, inward from one of them."""
    return tuple(Condition(Field.REMOTE_ADDRESS, network) for network in networks)


def _hosts(addresses: Iterable[IPAddress], version: int) -> tuple[IPNetwork, ...]:
    return tuple(ip_network(a) for a in dict.fromkeys(map(plain, addresses)) if a.version == version)


def _lan(version: int, besides: dict[str, tuple[str, ...]] | None = None) -> tuple[IPNetwork, ...]:
    family = "ip" if version == 4 else "ip6"
    return tuple(map(ip_network, (*LAN[family], *(besides or {}).get(family, ()))))
