"""The rules of one policy, chain by chain, in the order in which a packet meets them. Pure; `docs/firewall.md` gives the
reason for each.
"""

from __future__ import annotations

from collections.abc import Iterable

from slopn_helper.host.firewall.fixed import (
    BLOCK_DNS,
    DHCP_IN,
    DHCP_OUT,
    ETHERNET,
    ICMP_ERRORS,
    LINK,
    NDP_IN,
    NDP_OUT,
    REFUSALS,
    STP,
)
from slopn_helper.host.firewall.policy import Blocked, Tunnelled
from slopn_helper.host.firewall.sealed import Sealed
from slopn_helper.host.firewall.words import (
    Rule,
    endpoint,
    family_of,
    interface,
    networks,
    one_of,
    plain,
    unique,
)
from slopn_wire.profile import IPAddress

LAN = {
    "ip": ("10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    "ip6": ("fc00::/7", "fe80::/10"),
}
"""Private ranges, never an interface's netmask: whoever hands out addresses could make that the whole internet."""

MULTICAST = {
    "ip": ("224.0.0.0/24", "239.0.0.0/8", "255.255.255.255"),
    "ip6": ("ff02::/16", "ff05::/16"),
}

_NO_TUNNEL = "meta iiftype != 65534"
"""Not from a TUN or WireGuard device (ARPHRD_NONE of if_arp.h): what comes out of a tunnel is no neighbour."""


class Rules:
    """The chains of one closed policy. Raises `ValueError` for what can't be put into rules."""

    def __init__(self, policy: Blocked | Tunnelled, fwmark: int) -> None:
        if not 0 < fwmark < 1 << 32:
            raise ValueError(f"a firewall mark is 1 to 4294967295, not {fwmark}")
        self._mark = f"meta mark {fwmark:#x}"
        self._set_mark = f"meta mark set {fwmark:#x}"
        self._lan = ("ip", "ip6") if policy.allow_lan else ()
        self._endpoints = unique(endpoint(e) for e in policy.endpoints)
        self._asked = asked(policy)
        self._addresses = unique(map(plain, policy.addresses))
        self._interface = interface(policy.interface) if isinstance(policy, Tunnelled) else None
        self._sealed = Sealed(policy.inside if isinstance(policy, Blocked) else None)
        self._dns = unique(map(plain, policy.dns)) if isinstance(policy, Tunnelled) else ()
        self._excluded = networks(policy.excluded)
        self._only = networks(policy.only)

    def prerouting(self) -> tuple[Rule, ...]:
        """Anti-spoofing, and the mark on replies to our own packets so that a strict rp_filter lets them pass."""
        tunnel = self._interface or self._sealed.interface
        elsewhere = f'iifname != {{ "lo", "{tunnel}" }}' if tunnel else 'iifname != "lo"'
        underlay = (f'iifname != "{tunnel}"',) if tunnel else ()
        rules: list[Rule] = [(elsewhere, f"{family} daddr {own}", "drop") for family, own in self._own()]
        rules += [(*underlay, *reply, self._set_mark) for reply in self._replies()]
        return tuple(rules)

    def resolvers(self) -> tuple[Rule, ...]:
        """Names that a guest asks somebody else for are asked of the tunnel's first resolver of the same family."""
        if self._interface is None or self._only:
            return ()
        guests = f'iifname != {{ "lo", "{self._interface}" }}'
        families = [(f, [str(a) for a in self._dns if family_of(a) == f]) for f in ("ip", "ip6")]
        return tuple(
            (
                guests,
                f"{family} daddr != {one_of(known)}",
                "fib daddr type != local",
                f"{protocol} dport 53",
                f"dnat {family} to {known[0]}",
            )
            for family, known in families
            if known
            for protocol in ("udp", "tcp")
        )

    def output(self) -> tuple[Rule, ...]:
        """What this host sends."""
        return (
            ('oifname "lo"', "accept"),
            *self._sealed.output(),
            *self._to_endpoints(),
            *self._to_asked(),
            *DHCP_OUT,
            *NDP_OUT,
            *self._into_tunnel(),
            *self._beside(),
            *self._held_back(),
            *self._rest(self._to_lan()),
        )

    def input(self) -> tuple[Rule, ...]:
        """What this host receives for itself."""
        return (
            ('iifname "lo"', "accept"),
            *self._sealed.input(),
            *((*reply, "accept") for reply in self._replies()),
            *DHCP_IN,
            *NDP_IN,
            *self._out_of_tunnel(),
            *self._pings(),
            *self._nothing_else_out_of_tunnel(),
            *(
                (f"{family} saddr {those}", "ct state established", "accept")
                for family, those in self._excluded.items()
            ),
            *((_NO_TUNNEL, f"{family} saddr {those}", "accept") for family, those in self._excluded.items()),
            *((f"{family} saddr {those}", "drop") for family, those in self._only.items()),
            *(() if self._only else self._dhcp_server()),
            *(() if self._only else self._from_lan()),
            # The policy alone would leave an instant, in a swap of tables, between the new rules and their policy.
            ("accept",) if self._only else ("drop",),
        )

    def forward(self) -> tuple[Rule, ...]:
        """What this host passes on for containers and virtual machines: into the tunnel and back, or nowhere."""
        return (
            *self._sealed.forward(),
            *self._into_tunnel(),
            *self._out_of_tunnel(marked=True),
            *self._nothing_else_out_of_tunnel(),
            *((_NO_TUNNEL, *rule) for rule in self._beside()),
            *self._answers_from_beside(),
            *self._held_back(),
            *((f"{family} saddr {those}", "drop") for family, those in self._only.items()),
            *self._rest(
                (
                    _NO_TUNNEL,
                    f"{family} saddr {one_of(LAN[family])}",
                    f"{family} daddr {_lan_and_multicast(family)}",
                    "accept",
                )
                for family in self._lan
            ),
        )

    def egress(self) -> tuple[Rule, ...]:
        """What may leave by a device that isn't the tunnel's, whoever made the frame: what `output` lets out by it.

        The link's own protocols besides. Answers that are forwarded are told by the mark that `forward` gives them.
        """
        clients = (self._interface is not None or self._excluded) and not self._lan
        allowed = (
            (ETHERNET, LINK, "accept"),
            (ETHERNET, STP, "accept"),
            # Here packets have been cut to fit the device, and only the first fragment has ports.
            *((self._mark, f"{family_of(a)} daddr {a}", "meta l4proto udp", "accept") for a, _ in self._endpoints),
            *self._to_asked(),
            *DHCP_OUT,
            *NDP_OUT,
            *self._dns_block(),
            *self._beside(),
            *self._held_back(),
            *self._rest(
                (
                    *self._to_lan(),
                    *((self._mark, f"{family} daddr {one_of(LAN[family])}", "accept") for family in LAN if clients),
                )
            ),
        )
        # Nobody is told of what is refused here.
        dropped = ((*rule[:-1], "drop") if rule[-1].startswith("reject") else rule for rule in allowed)
        return tuple(rule for rule in dropped if "tcp flags syn" not in rule)

    def _to_endpoints(self) -> tuple[Rule, ...]:
        return tuple(
            (self._mark, f"{family_of(a)} daddr {a}", f"udp dport {port}", "accept") for a, port in self._endpoints
        )

    def _to_asked(self) -> tuple[Rule, ...]:
        return tuple(
            (self._mark, f"{family_of(a)} daddr {a}", f"{protocol} dport {port}", "accept")
            for a, protocol, port in self._asked
        )

    def _to_lan(self) -> tuple[Rule, ...]:
        return tuple((f"{family} daddr {_lan_and_multicast(family)}", "accept") for family in self._lan)

    def _dns_block(self) -> tuple[Rule, ...]:
        return () if self._only and not self._dns else BLOCK_DNS

    def _into_tunnel(self) -> tuple[Rule, ...]:
        """DNS to the tunnel's resolvers or to none, then everything else: this order is what keeps DNS in."""
        block = self._dns_block()
        if self._interface is None:
            return block
        out = f'oifname "{self._interface}"'
        where = [(f"{family_of(a)} daddr {a}",) for a in self._dns] if self._dns else [()]
        allowed = tuple(
            (out, *to, f"{protocol} dport {{ 53, 853 }}", "accept") for to in where for protocol in ("udp", "tcp")
        )
        return (*allowed, *block, (out, "accept")) if block else ((out, "accept"),)

    def _out_of_tunnel(self, *, marked: bool = False) -> tuple[Rule, ...]:
        if self._interface is None:
            return ()
        come = f'iifname "{self._interface}"'
        known: list[Rule] = [("ct state established",)]
        known += [("ct state related", f"{p} type {types}") for p, types in ICMP_ERRORS.items()]
        mark = (self._set_mark,) if marked else ()
        return tuple((come, *how, *mark, "accept") for how in known)

    def _nothing_else_out_of_tunnel(self) -> tuple[Rule, ...]:
        """Where the end of the chain would let it in."""
        return ((f'iifname "{self._interface}"', "drop"),) if self._interface and self._only else ()

    def _pings(self) -> tuple[Rule, ...]:
        """Only to the tunnel's address: an answer from another one would tell the far end what network we are in."""
        if self._interface is None:
            return ()
        ping = {"ip": "icmp type echo-request", "ip6": "icmpv6 type echo-request"}
        return tuple(
            (f'iifname "{self._interface}"', f"{family} daddr {own}", ping[family], "accept")
            for family, own in self._own()
        )

    def _beside(self) -> tuple[Rule, ...]:
        return tuple((f"{family} daddr {those}", "accept") for family, those in self._excluded.items())

    def _answers_from_beside(self) -> tuple[Rule, ...]:
        """Only of connections that began to there: the address alone may be a container's, on its way anywhere."""
        return tuple(
            (
                f"{family} saddr {those}",
                "ct state established",
                "ct direction reply",
                f"ct original {family} daddr {those}",
                self._set_mark,
                "accept",
            )
            for family, those in self._excluded.items()
        )

    def _held_back(self) -> tuple[Rule, ...]:
        return tuple(
            (f"{family} daddr {those}", *refusal) for family, those in self._only.items() for refusal in REFUSALS
        )

    def _rest(self, lan: Iterable[Rule]) -> tuple[Rule, ...]:
        """All that nothing was said about yet."""
        return (("accept",),) if self._only else (*lan, *REFUSALS)

    def _from_lan(self) -> tuple[Rule, ...]:
        return tuple((_NO_TUNNEL, f"{family} saddr {one_of(LAN[family])}", "accept") for family in self._lan)

    def _dhcp_server(self) -> tuple[Rule, ...]:
        """For a hotspot or a bridge of virtual machines: their requests come from 0.0.0.0."""
        return DHCP_OUT[:1] if self._lan else ()

    def _replies(self) -> tuple[Rule, ...]:
        """Matches answers to our marked packets: never `related`, whose ICMP errors anybody can forge."""
        known = "ct state established"
        return (
            *((f"{family_of(a)} saddr {a}", f"udp sport {port}", known) for a, port in self._endpoints),
            *((f"{family_of(a)} saddr {a}", f"{protocol} sport {port}", known) for a, protocol, port in self._asked),
        )

    def _own(self) -> list[tuple[str, str]]:
        """The tunnel's own addresses as one set a family."""
        sets = ((f, [str(a) for a in self._addresses if family_of(a) == f]) for f in ("ip", "ip6"))
        return [(family, one_of(addresses)) for family, addresses in sets if addresses]


def _lan_and_multicast(family: str) -> str:
    return one_of((*LAN[family], *MULTICAST[family]))


def asked(policy: Blocked | Tunnelled) -> tuple[tuple[IPAddress, str, int], ...]:
    """Whom this process asks beside the tunnel: resolvers, a page that tells of captive portals, enrolment APIs."""
    names = ((plain(a), protocol, 53) for a in policy.resolvers for protocol in ("udp", "tcp"))
    portal = ((plain(a), "tcp", 80) for a in policy.portal) if isinstance(policy, Blocked) else ()
    return unique((*names, *portal, *((a, "tcp", port) for a, port in map(endpoint, policy.apis))))
