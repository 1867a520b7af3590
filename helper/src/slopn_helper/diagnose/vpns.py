"""Other VPNs, told by what they leave in the routing, the packet filter and the list of interfaces. Pure.

The numbers and names are those of their own sources and documents; who changes them is not recognised any more, and
shows up among the unnamed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from slopn_helper.host.facts import Filters, Link, Route, Rule


class Vpn(NamedTuple):
    """How a program is known. Interfaces and filter tables by how their names begin."""

    name: str
    interfaces: tuple[str, ...] = ()
    tables: frozenset[int] = frozenset()
    """Routing tables."""
    marks: frozenset[int] = frozenset()
    filters: tuple[str, ...] = ()


KNOWN = (
    Vpn("Tailscale", ("tailscale",), frozenset({52}), frozenset({0x80000})),
    Vpn("Mullvad", ("wg0-mullvad", "wg-mullvad"), frozenset({0x6D6F6C65}), frozenset({0x6D6F6C65}), ("inet mullvad",)),
    Vpn("NetBird", ("wt0",), frozenset({7120}), frozenset({0x1BD00}), ("ip netbird", "ip6 netbird")),
    Vpn("Firezone", ("tun-firezone",), frozenset({0x2021FD00, 0x2021FD01, 0x2021FD02}), frozenset({0xFD002021})),
    Vpn("NordVPN", ("nordlynx", "nordtun"), frozenset({205}), frozenset({0xE1F1}), ("inet nordvpn",)),
    Vpn("Cloudflare WARP", ("CloudflareWARP",), frozenset({65743}), filters=("inet cloudflare-warp",)),
    Vpn("Proton VPN", ("proton", "pvpn", "ipv6leakintrf")),
    Vpn("Surfshark", ("surfshark",)),
    Vpn("Private Internet Access", ("wgpia",)),
    Vpn("ZeroTier", ("zt",)),
    Vpn("OpenConnect or AnyConnect", ("cscotun", "vpn0")),
    Vpn("OpenVPN", ("tun0", "tun1", "tap0")),
    Vpn("wg-quick", ("wg",), frozenset({51820}), frozenset({51820}), ("ip wg-quick", "ip6 wg-quick")),
)
"""The first that fits counts: narrower ones stand before wider ones."""


def found(
    links: Iterable[Link], routes: Iterable[Route], rules: Iterable[Rule], filters: Filters, own: str
) -> dict[str, list[str]]:
    """What is there of whom: name → sentences' parts. `own` is our interface.

    An interface counts if it is up; of what nobody is known for, rules that lead elsewhere and nearly default routes.
    """
    traces: dict[str, list[str]] = {}
    for link in links:
        if link.usable and link.name != own and (vpn := _by_interface(link.name)):
            traces.setdefault(vpn, []).append(f"interface {link.name}")
    for rule in rules:
        if not rule.ours:
            vpn = _by_number(rule.table, rule.fwmark) or "another program"
            traces.setdefault(vpn, []).append(f"IPv{rule.version} rule {rule.priority} to table {rule.table}")
    for route in routes:
        if not route.ours and is_nearly_default(route):
            vpn = _by_interface(route.device or "") or "another program"
            traces.setdefault(vpn, []).append(f"route {route.destination} by {route.device or 'nothing'}")
    for table in filters.others:
        owner = next((vpn.name for vpn in KNOWN if vpn.filters and table.startswith(vpn.filters)), None)
        if owner is not None:
            traces.setdefault(owner, []).append(f"firewall table {table}")
    return {name: list(dict.fromkeys(parts)) for name, parts in traces.items()}


def is_nearly_default(route: Route) -> bool:
    """Half of the internet or the like, as tunnels take it without touching the default route itself."""
    length = int(route.destination.rpartition("/")[2])
    return 0 < length <= 3 and not route.destination.startswith(("224.", "ff"))


def _by_interface(name: str) -> str | None:
    return next((vpn.name for vpn in KNOWN if vpn.interfaces and name.startswith(vpn.interfaces)), None)


def _by_number(table: int, mark: int) -> str | None:
    return next((vpn.name for vpn in KNOWN if table in vpn.tables or mark in vpn.marks), None)
