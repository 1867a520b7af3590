"""A firewall policy as nftables rules. Pure: text only, tested anywhere by golden files.

`docs/firewall.md` gives the reason for each rule. Packets of the helper's own are told by their mark; names of
interfaces are matched, not indexes, since an interface may go and come again under the rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple, TypeVar

from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Open, Tunnelled
from slopn_wire.profile import Endpoint, IPAddress

_T = TypeVar("_T")

FAMILY = "inet"
TABLE = "slopn"

REMOVAL = f"table {FAMILY} {TABLE}\ndelete table {FAMILY} {TABLE}\n"
"""Removes the table whether it is there or not; only for one that nobody owns."""

Rule = tuple[str, ...]
"""Statements in nft(8)'s words; the verdict is the last."""


class Chain(NamedTuple):
    """A base chain of type filter."""

    name: str
    """Also the name of its hook."""
    priority: int
    policy: str
    rules: tuple[Rule, ...]

    @property
    def head(self) -> str:
        """What makes it a base chain."""
        return f"type filter hook {self.name} priority {self.priority}; policy {self.policy};"


def render(policy: FirewallPolicy, *, fwmark: int) -> str:
    """One nft(8) script that puts `policy` in force in one transaction, whatever was there before.

    Raises `ValueError` for an endpoint that is no address, a port, mark or interface name that can't be.
    """
    made = chains(policy, fwmark=fwmark)
    if not made:
        return REMOVAL
    bodies = "\n".join(_block(chain) for chain in made)
    return f"{REMOVAL}table {FAMILY} {TABLE} {{\n{bodies}}}\n"


def render_within(policy: FirewallPolicy, *, fwmark: int, present: Iterable[str] = ()) -> str:
    """As `render`, for a table that is there and must stay: its owner may not replace it, only what is in it.

    `present` is what to remove first, as `chain NAME` or `set NAME`. Chains that stay keep their hook, so that no packet
    meets one that is half there. Raises `ValueError`; `Open` has no rules and is refused likewise.
    """
    made = chains(policy, fwmark=fwmark)
    if not made:
        raise ValueError("an open policy has no rules to put into a table")
    lines = [f"flush table {FAMILY} {TABLE}"]
    lines += [f"delete {kind} {FAMILY} {TABLE} {name}" for kind, name in map(str.split, present)]
    for chain in made:
        lines.append(f"add chain {FAMILY} {TABLE} {chain.name} {{ {chain.head} }}")
        lines += [f"add rule {FAMILY} {TABLE} {chain.name} {' '.join(rule)}" for rule in chain.rules]
    return "\n".join(lines) + "\n"


def chains(policy: FirewallPolicy, *, fwmark: int) -> tuple[Chain, ...]:
    """The rules of `policy`; none for `Open`. Raises `ValueError` as `render` does."""
    if isinstance(policy, Open):
        return ()
    rules = _Rules(policy, fwmark)
    return (
        Chain("prerouting", -199, "accept", rules.prerouting()),
        Chain("output", 0, "drop", rules.output()),
        Chain("input", 0, "drop", rules.input()),
        Chain("forward", 0, "drop", rules.forward()),
    )


_LAN = {
    "ip": ("10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    "ip6": ("fc00::/7", "fe80::/10"),
}
"""Private ranges, never an interface's netmask: whoever hands out addresses could make that the whole internet."""

_MULTICAST = {
    "ip": ("224.0.0.0/24", "239.0.0.0/8", "255.255.255.255"),
    "ip6": ("ff02::/16", "ff05::/16"),
}

_NO_LINK_LAYER = "meta iiftype != 65534"
"""Not from a TUN or WireGuard device (ARPHRD_NONE of if_arp.h): what comes out of a tunnel is no neighbour."""

_DNS_PORTS = "{ 53, 853, 5355 }"
_REJECT = "reject with icmpx admin-prohibited"
_RESET = "reject with tcp reset"

_DHCP_OUT: tuple[Rule, ...] = (
    ("udp sport 68", "udp dport 67", "ip daddr 255.255.255.255", "accept"),
    ("ip6 saddr fe80::/10", "udp sport 546", "udp dport 547", "ip6 daddr { ff02::1:2, ff05::1:3 }", "accept"),
)
_DHCP_IN: tuple[Rule, ...] = (
    ("udp sport 67", "udp dport 68", "accept"),
    ("ip6 saddr fe80::/10", "udp sport 547", "udp dport 546", "ip6 daddr fe80::/10", "accept"),
)
_ON_LINK = "ip6 hoplimit 255"
"""RFC 4861: a router would have lowered it, so the packet comes from this link."""

_NDP_OUT: tuple[Rule, ...] = (
    ("icmpv6 type nd-router-solicit", "ip6 daddr ff02::2", _ON_LINK, "accept"),
    ("icmpv6 type nd-neighbor-solicit", "ip6 daddr { fe80::/10, ff02::1:ff00:0/104 }", _ON_LINK, "accept"),
    ("icmpv6 type nd-neighbor-advert", "ip6 daddr { fe80::/10, ff02::1 }", _ON_LINK, "accept"),
)
_NDP_IN: tuple[Rule, ...] = (
    ("icmpv6 type { nd-router-advert, nd-redirect }", "ip6 saddr fe80::/10", _ON_LINK, "accept"),
    ("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }", _ON_LINK, "accept"),
)
_BLOCK_DNS: tuple[Rule, ...] = (
    (f"tcp dport {_DNS_PORTS}", _RESET),
    (f"udp dport {_DNS_PORTS}", _REJECT),
)
_REJECT_REST: tuple[Rule, ...] = (
    # A reset for attempts alone: connections through the tunnel shall outlive a short block, and ICMP is soft to them.
    ("tcp flags syn", _RESET),
    (_REJECT,),
)
_ICMP_ERRORS = {
    "icmp": "{ destination-unreachable, time-exceeded, parameter-problem }",
    "icmpv6": "{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
}


class _Rules:
    """The chains of one policy, rule by rule in the order in which they are met."""

    def __init__(self, policy: Blocked | Tunnelled, fwmark: int) -> None:
        if not 0 < fwmark < 1 << 32:
            raise ValueError(f"a firewall mark is 1 to 4294967295, not {fwmark}")
        self._mark = f"meta mark {fwmark:#x}"
        self._set_mark = f"meta mark set {fwmark:#x}"
        self._lan = ("ip", "ip6") if policy.allow_lan else ()
        self._endpoints = _unique(_endpoint(e) for e in policy.endpoints)
        self._resolvers = _unique(map(_plain, policy.resolvers)) if isinstance(policy, Blocked) else ()
        self._addresses = _unique(map(_plain, policy.addresses))
        self._interface = _interface(policy.interface) if isinstance(policy, Tunnelled) else None
        self._dns = _unique(map(_plain, policy.dns)) if isinstance(policy, Tunnelled) else ()

    def prerouting(self) -> tuple[Rule, ...]:
        """Anti-spoofing, and the mark on replies to our own packets so that a strict rp_filter lets them pass."""
        elsewhere = f'iifname != {{ "lo", "{self._interface}" }}' if self._interface else 'iifname != "lo"'
        underlay = (f'iifname != "{self._interface}"',) if self._interface else ()
        rules: list[Rule] = [(elsewhere, f"{family} daddr {own}", "drop") for family, own in self._own()]
        rules += [(*underlay, *reply, self._set_mark) for reply in self._replies()]
        return tuple(rules)

    def output(self) -> tuple[Rule, ...]:
        """What this host sends."""
        return (
            ('oifname "lo"', "accept"),
            *((self._mark, f"{_family(a)} daddr {a}", f"udp dport {port}", "accept") for a, port in self._endpoints),
            *(
                (self._mark, f"{_family(a)} daddr {a}", f"{protocol} dport 53", "accept")
                for a in self._resolvers
                for protocol in ("udp", "tcp")
            ),
            *_DHCP_OUT,
            *_NDP_OUT,
            *self._into_tunnel(),
            *((f"{family} daddr {_lan_and_multicast(family)}", "accept") for family in self._lan),
            *_REJECT_REST,
        )

    def input(self) -> tuple[Rule, ...]:
        """What this host receives for itself."""
        return (
            ('iifname "lo"', "accept"),
            *((*reply, "accept") for reply in self._replies()),
            *_DHCP_IN,
            *_NDP_IN,
            *self._out_of_tunnel(),
            *self._pings(),
            *self._dhcp_server(),
            *((_NO_LINK_LAYER, f"{family} saddr {_set(_LAN[family])}", "accept") for family in self._lan),
            # The policy alone would leave an instant, in a swap of tables, between the new rules and their policy.
            ("drop",),
        )

    def forward(self) -> tuple[Rule, ...]:
        """What this host passes on for containers and virtual machines: into the tunnel and back, or nowhere."""
        return (
            *self._into_tunnel(),
            *self._out_of_tunnel(),
            *(
                (
                    _NO_LINK_LAYER,
                    f"{family} saddr {_set(_LAN[family])}",
                    f"{family} daddr {_lan_and_multicast(family)}",
                    "accept",
                )
                for family in self._lan
            ),
            *_REJECT_REST,
        )

    def _into_tunnel(self) -> tuple[Rule, ...]:
        """DNS to the tunnel's resolvers or to none, then everything else: this order is what keeps DNS in."""
        if self._interface is None:
            return _BLOCK_DNS
        out = f'oifname "{self._interface}"'
        where = [(f"{_family(a)} daddr {a}",) for a in self._dns] if self._dns else [()]
        allowed = tuple(
            (out, *to, f"{protocol} dport {{ 53, 853 }}", "accept") for to in where for protocol in ("udp", "tcp")
        )
        return (*allowed, *_BLOCK_DNS, (out, "accept"))

    def _out_of_tunnel(self) -> tuple[Rule, ...]:
        if self._interface is None:
            return ()
        come = f'iifname "{self._interface}"'
        errors = ((come, "ct state related", f"{p} type {types}", "accept") for p, types in _ICMP_ERRORS.items())
        return ((come, "ct state established", "accept"), *errors)

    def _pings(self) -> tuple[Rule, ...]:
        """Only to the tunnel's address: an answer from another one would tell the far end what network we are in."""
        if self._interface is None:
            return ()
        ping = {"ip": "icmp type echo-request", "ip6": "icmpv6 type echo-request"}
        return tuple(
            (f'iifname "{self._interface}"', f"{family} daddr {own}", ping[family], "accept")
            for family, own in self._own()
        )

    def _dhcp_server(self) -> tuple[Rule, ...]:
        """For a hotspot or a bridge of virtual machines: their requests come from 0.0.0.0."""
        return _DHCP_OUT[:1] if self._lan else ()

    def _replies(self) -> tuple[Rule, ...]:
        """Matches answers to our marked packets: never `related`, whose ICMP errors anybody can forge."""
        known = "ct state established"
        return (
            *((f"{_family(a)} saddr {a}", f"udp sport {port}", known) for a, port in self._endpoints),
            *(
                (f"{_family(a)} saddr {a}", f"{protocol} sport 53", known)
                for a in self._resolvers
                for protocol in ("udp", "tcp")
            ),
        )

    def _own(self) -> list[tuple[str, str]]:
        """The tunnel's own addresses as one set a family."""
        sets = ((f, [str(a) for a in self._addresses if _family(a) == f]) for f in ("ip", "ip6"))
        return [(family, _set(addresses)) for family, addresses in sets if addresses]


def _block(chain: Chain) -> str:
    rules = "".join(f"    {' '.join(rule)}\n" for rule in chain.rules)
    return f"  chain {chain.name} {{\n    {chain.head}\n{rules}  }}\n"


def _set(members: Iterable[str]) -> str:
    listed = list(members)
    return listed[0] if len(listed) == 1 else f"{{ {', '.join(listed)} }}"


def _lan_and_multicast(family: str) -> str:
    return _set((*_LAN[family], *_MULTICAST[family]))


def _family(address: IPAddress) -> str:
    return "ip" if isinstance(address, IPv4Address) else "ip6"


def _unique(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))


def _endpoint(endpoint: Endpoint) -> tuple[IPAddress, int]:
    if not 0 < endpoint.port < 1 << 16:
        raise ValueError(f"{endpoint}: a port is 1 to 65535")
    return _plain(ip_address(endpoint.host)), endpoint.port


def _plain(address: IPAddress) -> IPAddress:
    """As packets carry it: without a zone, and IPv4 where IPv6 only wraps it."""
    if not isinstance(address, IPv6Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def _interface(name: str) -> str:
    """Only what may stand in quotes: nft(8) knows no escapes, and `*` at the end would match a whole family."""
    if not re.fullmatch(r"[A-Za-z0-9_.=+-]{1,15}", name) or name == "lo":
        raise ValueError(f"{name!r} can't be the name of a tunnel's interface")
    return name
