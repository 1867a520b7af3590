"""The rules of a policy, chain by chain, in the order in which a packet meets them. Pure; `docs/gateway-net.md` gives the
reason for each.
"""

from __future__ import annotations

from collections.abc import Iterable

from slopn_helper.gateway.net.policy import GatewayNetPolicy, Refusal
from slopn_helper.host.firewall import words
from slopn_helper.host.firewall.ruleset import Chain
from slopn_helper.host.firewall.words import Rule, family_of, one_of, plain, unique
from slopn_wire.profile import IPAddress

_PRIVATE = {
    "ip": ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    "ip6": (
        "fc00::/7",
        "fec0::/10",
        "64:ff9b::a00:0/104",
        "64:ff9b::6440:0/106",
        "64:ff9b::a9fe:0/112",
        "64:ff9b::ac10:0/108",
        "64:ff9b::c0a8:0/112",
        "64:ff9b:1::/48",
    ),
}
"""RFC 1918, RFC 6598 (carriers, and clouds' services), RFC 3927 (clouds' metadata); RFC 4193, RFC 3879, and the same IPv4
ranges by way of NAT64 (RFC 6052), RFC 8215.
"""

_NOWHERE = {
    "ip": ("0.0.0.0/8", "127.0.0.0/8", "192.0.0.0/24", "198.18.0.0/15", "224.0.0.0/3"),
    "ip6": ("::/96", "::ffff:0:0/96", "fe80::/10", "ff00::/8"),
}
"""RFC 6890: no unicast address that could be another host's on the internet."""

_NFPROTO = {"ip": "meta nfproto ipv4", "ip6": "meta nfproto ipv6"}
_REJECT = "reject with icmpx admin-prohibited"
_NEIGHBOURS = (
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect }"
)
_ERRORS: tuple[Rule, ...] = (
    ("ct state related", "icmp type { destination-unreachable, time-exceeded, parameter-problem }", "accept"),
    (
        "ct state related",
        "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
        "accept",
    ),
)
_PINGS = {"ip": "icmp type echo-request", "ip6": "icmpv6 type echo-request"}
_NO_NEIGHBOURS: Rule = (_NEIGHBOURS, f"counter name {Refusal.NEIGHBOURS}", "drop")
_ASKS = "meta l4proto { tcp, udp }"


def chains(policy: GatewayNetPolicy) -> tuple[Chain, ...]:
    """The rules of `policy`. Raises `ValueError` for what can't be put into rules."""
    rules = _Rules(policy)
    translated = rules.translated()
    return (
        Chain("prerouting", -300, "accept", rules.prerouting(), "prerouting"),
        Chain("clamp", -150, "accept", rules.clamp(), "forward"),
        Chain("forward", 0, "accept", rules.forward(), "forward"),
        Chain("from_devices", 0, "", rules.from_devices(), None),
        Chain("to_devices", 0, "", rules.to_devices(), None),
        Chain("input", 0, "accept", rules.input(), "input"),
        Chain("here", 0, "", rules.here(), None),
        *((Chain("postrouting", 100, "accept", translated, "postrouting", kind="nat"),) if translated else ()),
    )


def closed(interfaces: Iterable[str]) -> tuple[Chain, ...]:
    """Nothing comes from a device, nothing goes to one: for when the policy can't be had. In words every kernel knows."""
    inside = one_of(_quoted(_tunnels(interfaces)))
    return (
        Chain("prerouting", -300, "accept", ((f"iifname {inside}", "drop"),), "prerouting"),
        Chain("forward", 0, "accept", ((f"oifname {inside}", "drop"),), "forward"),
    )


class _Rules:
    def __init__(self, policy: GatewayNetPolicy) -> None:
        interfaces = _tunnels(policy.interfaces)
        uplinks = _uplinks(policy.uplinks, interfaces)
        self._policy = policy
        self._come, self._go = (f"{way} {one_of(_quoted(interfaces))}" for way in ("iifname", "oifname"))
        self._outside, self._away = (
            f"{way} != {{ {', '.join(_quoted(('lo', *interfaces)))} }}" for way in ("iifname", "oifname")
        )
        self._from_uplinks, self._not_uplinks = (
            f"{way} {one_of(_quoted(uplinks))}" for way in ("iifname", "oifname !=")
        )
        self._pools = words.networks(policy.pools)
        if not self._pools:
            raise ValueError("a gateway has at least one pool of addresses")
        self._own = _sets(policy.addresses)
        self._dns = _sets(policy.dns)
        self._routed = [f for f, nat in (("ip", policy.nat44), ("ip6", policy.nat66)) if not nat and f in self._pools]
        self._translated = [f for f in self._pools if f not in self._routed]
        for port in (policy.wireguard_port, policy.https_port, *(service.port for service in policy.services)):
            if not 0 < port < 1 << 16:
                raise ValueError(f"a port is 1 to 65535, not {port}")

    def prerouting(self) -> tuple[Rule, ...]:
        """Before anything else looks at a packet: is it from and to whom it can be?"""
        spoofed = _refuse(Refusal.SPOOFED, "drop")
        unasked = _refuse(Refusal.UNASKED, "drop")
        rules: list[Rule] = []
        for family in ("ip", "ip6"):
            pools = self._pools.get(family)
            if pools is None:
                rules.append((self._come, _NFPROTO[family], *spoofed))
                continue
            rules.append((self._come, f"{family} saddr != {pools}", *spoofed))
            if own := self._own.get(family):
                rules.append((self._come, f"{family} saddr {own}", *spoofed))
        rules += [(self._outside, f"{family} daddr {own}", *unasked) for family, own in self._own.items()]
        rules += [(self._outside, f"{f} daddr {self._pools[f]}", *unasked) for f in self._translated]
        return tuple(rules)

    def clamp(self) -> tuple[Rule, ...]:
        """No segment is larger than the smaller of the two ways takes."""
        return tuple((way, "tcp flags syn", "tcp option maxseg size set rt mtu") for way in (self._come, self._go))

    def forward(self) -> tuple[Rule, ...]:
        """Others' packets that this host forwards, containers' for instance, are none of ours."""
        return ((self._come, "goto from_devices"), (self._go, "goto to_devices"))

    def from_devices(self) -> tuple[Rule, ...]:
        """By destination alone, whatever connection a packet is of: a policy that closes, closes at once."""
        policy = self._policy
        rules: list[Rule] = [_NO_NEIGHBOURS]
        rules.append((self._go, *(_refuse(Refusal.ISOLATED) if policy.isolated else ("accept",))))
        rules += [
            (f"{family} daddr {servers}", _ASKS, "th dport 53", "accept") for family, servers in self._dns.items()
        ]
        if policy.dns_only:
            rules.append((_ASKS, "th dport { 53, 853 }", *_refuse(Refusal.NAMES)))
        rules.append((self._not_uplinks, *_refuse(Refusal.ELSEWHERE)))
        never = words.networks(policy.refused)
        for sets, why in ((_literal(_NOWHERE), Refusal.REFUSED), (never, Refusal.REFUSED)):
            rules += [(f"{family} daddr {those}", *_refuse(why)) for family, those in sets.items()]
        if not policy.private:
            rules += [(f"{f} daddr {those}", *_refuse(Refusal.PRIVATE)) for f, those in _literal(_PRIVATE).items()]
        if policy.destinations:
            allowed = words.networks(policy.destinations)
            for family, every in _NFPROTO.items():
                other = f"{family} daddr != {allowed[family]}" if family in allowed else every
                rules.append((other, *_refuse(Refusal.REFUSED)))
        return (*rules, ("accept",))

    def to_devices(self) -> tuple[Rule, ...]:
        """Answers, and what they need to get through; more only where devices have addresses of their own."""
        asked: list[Rule] = []
        if self._policy.reachable:
            asked = [(self._from_uplinks, f"{f} daddr {self._pools[f]}", "accept") for f in self._routed]
        return (
            _NO_NEIGHBOURS,
            ("ct state established", "accept"),
            *_ERRORS,
            *asked,
            _refuse(Refusal.UNASKED, "drop"),
        )

    def input(self) -> tuple[Rule, ...]:
        """What comes to this host from elsewhere is its own firewall's business."""
        return ((self._come, "goto here"),)

    def here(self) -> tuple[Rule, ...]:
        """What devices may ask of the gateway itself."""
        policy = self._policy
        return (
            _NO_NEIGHBOURS,
            # Answers to what the gateway asked; a device's own connections are judged packet by packet.
            ("ct state established", "ct direction reply", "accept"),
            *_ERRORS,
            *((f"{family} daddr {servers}", _ASKS, "th dport 53", "accept") for family, servers in self._dns.items()),
            *((f"{family} daddr {own}", _PINGS[family], "accept") for family, own in self._own.items()),
            *(
                (f"{family} daddr {own}", f"{service.protocol} dport {service.port}", "accept")
                for service in unique(policy.services)
                for family, own in self._own.items()
            ),
            *(((f"tcp dport {policy.https_port}", "accept"),) if policy.api_inside else ()),
            (f"udp dport {policy.wireguard_port}", *_refuse(Refusal.LOOP, "drop")),
            _refuse(Refusal.HERE),
        )

    def translated(self) -> tuple[Rule, ...]:
        """By the source, since a name server of the LAN may be behind an interface that is no uplink."""
        return tuple((self._away, f"{f} saddr {self._pools[f]}", "masquerade") for f in self._translated)


def _refuse(why: Refusal, how: str = _REJECT) -> Rule:
    return f"counter name {why}", how


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def _tunnels(names: Iterable[str]) -> tuple[str, ...]:
    interfaces = unique(map(words.interface, names))
    if not interfaces:
        raise ValueError("a gateway has at least one interface of WireGuard's")
    return interfaces


def _uplinks(names: Iterable[str], interfaces: tuple[str, ...]) -> tuple[str, ...]:
    uplinks = unique(names)
    if not uplinks:
        raise ValueError("devices need at least one interface to leave by")
    for name in uplinks:
        try:
            words.interface(name)
        except ValueError:
            raise ValueError(f"{name!r} can't be the name of an uplink") from None
        if name in interfaces:
            raise ValueError(f"{name} can't be both WireGuard's interface and an uplink")
    return uplinks


def _sets(addresses: Iterable[IPAddress]) -> dict[str, str]:
    known = unique(map(plain, addresses))
    sets = {family: [str(a) for a in known if family_of(a) == family] for family in ("ip", "ip6")}
    return {family: one_of(members) for family, members in sets.items() if members}


def _literal(sets: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {family: one_of(members) for family, members in sets.items()}
