"""Other VPNs, told by what they leave in the routing, the packet filter and the list of interfaces. Pure.

The numbers and names are those of their own sources and documents; who changes them is not recognised any more, and
shows up among the unnamed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from slopn_helper.host.facts import Filters, Link, Route, Rule
from slopn_helper.host.routes.plan import MAIN_TABLE, TUNNEL_REST


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
_WG_QUICK = range(51820, 51900)


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
            vpn = _by_rule(rule) or "another program"
            traces.setdefault(vpn, []).append(f"IPv{rule.version} rule {rule.priority} to table {rule.table}")
    for route in routes:
        if not route.ours and is_nearly_default(route):
            vpn = _by_interface(route.device or "") or "another program"
            traces.setdefault(vpn, []).append(f"route {route.destination} by {route.device or 'nothing'}")
    for table in filters.others:
        if (owner := _by_filter(table)) is not None:
            traces.setdefault(owner, []).append(f"firewall table {table}")
    return {name: list(dict.fromkeys(parts)) for name, parts in traces.items()}


def in_the_way(
    links: Iterable[Link],
    routes: Iterable[Route],
    rules: Iterable[Rule],
    filters: Filters,
    own: str,
    *,
    connected: bool,
) -> dict[str, list[str]]:
    """Who takes or drops what belongs into the tunnel, and how: name → sentences' parts. A part of what `found` tells.

    A policy rule asked before ours that leads every packet to a default route, or into nothing; halves of the internet in
    the main table; a default route by another VPN's interface; a packet filter that lets nothing out by itself. `connected`:
    the tunnel is up, so its rules say which IP versions it takes whole; a filter of no known VPN lets it through then.
    """
    usable = {link.name for link in links if link.usable} - {own}
    routes, rules = tuple(routes), tuple(rules)
    whole = {rule.version for rule in rules if rule.ours} if connected else {4, 6}
    wide = [
        route
        for route in routes
        if not route.ours
        and (is_nearly_default(route) or _is_default(route))
        and (route.unreachable or route.device in usable)
    ]
    traces: dict[str, list[str]] = {}
    for rule in rules:
        taking = [route for route in wide if route.table == rule.table and _version(route) == rule.version]
        before = rule.priority <= TUNNEL_REST and not rule.ours and not rule.partial
        if before and rule.table != MAIN_TABLE and (rule.inverted or not rule.fwmark) and taking:
            by = next((route.device for route in taking if route.device), None)
            who = _by_rule(rule) or _by_interface(by or "") or "another program"
            how = f"IPv{rule.version} rule {rule.priority} to table {rule.table}, which is asked before SloPN's"
            traces.setdefault(who, []).append(how)
    for route in wide:
        known = _by_interface(route.device or "")
        if route.table == MAIN_TABLE and _version(route) in whole and (known or not _is_default(route)):
            how = f"route {route.destination} by {route.device or 'nothing'}"
            traces.setdefault(known or "another program", []).append(how)
    for table in filters.closing:
        if (owner := _by_filter(table)) is not None or not connected:
            traces.setdefault(owner or "another firewall", []).append(f"firewall table {table}, which drops packets")
    return {name: list(dict.fromkeys(parts)) for name, parts in traces.items()}


def is_nearly_default(route: Route) -> bool:
    """Half of the internet or the like, as tunnels take it without touching the default route itself."""
    length = int(route.destination.rpartition("/")[2])
    return 0 < length <= 3 and not route.destination.startswith(("224.", "ff"))


def _by_interface(name: str) -> str | None:
    return next((vpn.name for vpn in KNOWN if vpn.interfaces and name.startswith(vpn.interfaces)), None)


def _by_filter(table: str) -> str | None:
    return next((vpn.name for vpn in KNOWN if vpn.filters and table.startswith(vpn.filters)), None)


def _by_rule(rule: Rule) -> str | None:
    known = next((vpn.name for vpn in KNOWN if rule.table in vpn.tables or rule.fwmark in vpn.marks), None)
    # Where its usual table is taken, wg-quick counts up; mark and table stay the same number.
    return known or ("wg-quick" if rule.inverted and rule.fwmark == rule.table in _WG_QUICK else None)


def _is_default(route: Route) -> bool:
    return route.destination.endswith("/0")


def _version(route: Route) -> int:
    return 6 if ":" in route.destination else 4
