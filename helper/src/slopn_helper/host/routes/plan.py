"""What the kernel should hold for a `RouteConfig`, as data (wg-quick(8), ip-rule(8)).

A default route goes into a table of our own, reached by a rule that our own packets don't match: `main` without its
default routes is asked first, so that the LAN and more specific routes work as before. That table also has an
`unreachable` route which isn't bound to the tunnel's interface: when the interface dies, packets end there instead of
falling through to main's default route. Narrower routes go into main. A family without a default route gets no
rules, as with wg-quick: whether IPv6 may leave beside an IPv4-only tunnel is for the kill switch to say, which
closes it; with the kill switch off it leaves. What the user wants outside the tunnel gets a `throw` route in our table:
the look-up goes on as if the table weren't there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from slopn_helper.host.routes import RouteConfig
from slopn_wire.profile import IPNetwork

OWN_TABLE = 51820
MAIN_TABLE = 254
PROTOCOL = 151
"""Route protocol of all our routes and rules; unassigned in rtnetlink(7) and iproute2's rt_protos."""

MAIN_FIRST = 32764
TUNNEL_REST = 32765
"""Priorities just before the kernel's own rule for table main, 32766."""

UNICAST, UNREACHABLE, THROW = 1, 7, 9
"""RTN_UNICAST and its kin (rtnetlink(7))."""
LAST_METRIC = 0xFFFFFFFE
DEFAULT_METRIC = {4: 0, 6: 1024}
"""What the kernel makes of a route without a metric."""


class Route(NamedTuple):
    """One route of ours. Only a `UNICAST` one has a device."""

    table: int
    destination: IPNetwork
    kind: int = UNICAST
    metric: int = 0

    def __str__(self) -> str:
        kind = {UNREACHABLE: "unreachable ", THROW: "throw "}.get(self.kind, "")
        return f"{kind}{self.destination} in table {self.table}"


class Rule(NamedTuple):
    """One policy rule of ours: either `main` without its default routes, or all but `fwmark` into our table."""

    version: int
    """4 or 6."""
    priority: int
    table: int
    fwmark: int | None = None
    """Packets with another mark match. None: all match, and default routes of the table don't count."""

    def __str__(self) -> str:
        return f"IPv{self.version} rule {self.priority} to table {self.table}"


class Plan(NamedTuple):
    """All routes and rules, in the order in which they fail closed."""

    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def marks4(self) -> bool:
        """Whether the engine's IPv4 packets are routed by their mark."""
        return any(rule.version == 4 for rule in self.rules)


def plan(config: RouteConfig) -> Plan:
    """The routes and rules for `config`. Pure."""
    routes: list[Route] = []
    rules: list[Rule] = []
    for version in (4, 6):
        networks = sorted({n for n in config.routes if n.version == version}, key=_widest_first)
        metric = DEFAULT_METRIC[version]
        left_out = sorted({n for n in config.excluded if _touches(n, networks)}, key=_widest_first)
        thrown = [Route(config.table or OWN_TABLE, network, THROW, metric) for network in left_out]
        if config.table is not None:
            routes += [*thrown, *(Route(config.table, n, metric=metric) for n in networks)]
            continue
        routes += thrown
        for network in networks:
            if _behind_rules(network, config):
                routes += [
                    Route(OWN_TABLE, network, UNREACHABLE, LAST_METRIC),
                    Route(OWN_TABLE, network, metric=metric),
                ]
            else:
                routes.append(Route(MAIN_TABLE, network, metric=metric))
        if any(route.table == OWN_TABLE and route.destination.version == version for route in routes):
            rules += [Rule(version, MAIN_FIRST, MAIN_TABLE), Rule(version, TUNNEL_REST, OWN_TABLE, config.fwmark)]
    return Plan(tuple(routes), tuple(rules))


def _behind_rules(network: IPNetwork, config: RouteConfig) -> bool:
    """Rules see the engine's mark, routes don't: in main this route would lead its packets back into the tunnel.

    Beside default routes these are the halves of one, and the long lists that spare private networks. And in main, what
    is thrown out of it would be lost.
    """
    if network.prefixlen == 0 or any(endpoint in network for endpoint in config.endpoints):
        return True
    return any(_touches(each, [network]) for each in config.excluded)


def _touches(one: IPNetwork, networks: Iterable[IPNetwork]) -> bool:
    """Whether `one` has addresses in common with one of `networks`."""
    return any(one.version == other.version and one.overlaps(other) for other in networks)


def _widest_first(network: IPNetwork) -> tuple[int, int]:
    return network.prefixlen, int(network.network_address)
