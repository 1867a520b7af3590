"""Typed reading of the kernel's links, addresses, routes and rules over pyroute2 (rtnetlink(7))."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, NamedTuple, Protocol

from pyroute2.iproute.linux import AsyncIPRoute

from slopn_wire.profile import IPAddress, IPInterface, IPNetwork

FAMILY: dict[int, int] = {4: socket.AF_INET, 6: socket.AF_INET6}
"""Address family by IP version."""
FIB_RULE_INVERT = 2
NO_SUPPRESSION = 0xFFFFFFFF


class Rtnetlink(Protocol):
    """What we use of pyroute2's `AsyncIPRoute`, whose calls have no types; rows are mappings of attribute names."""

    async def link(self, command: str, **spec: Any) -> list[Any]:
        """Change a link."""

    async def addr(self, command: str, **spec: Any) -> list[Any]:
        """Add or delete an address."""

    async def route(self, command: str, **spec: Any) -> list[Any]:
        """Add or delete a route."""

    async def rule(self, command: str, **spec: Any) -> list[Any]:
        """Add or delete a policy rule."""

    async def link_lookup(self, **match: Any) -> list[int]:
        """Indexes of the links that match."""

    async def get_links(self, *index: int, **match: Any) -> AsyncIterator[Any]:
        """Dump links."""

    async def get_addr(self, **match: Any) -> AsyncIterator[Any]:
        """Dump addresses."""

    async def get_routes(self, **match: Any) -> AsyncIterator[Any]:
        """Dump routes."""

    async def get_rules(self, **match: Any) -> AsyncIterator[Any]:
        """Dump policy rules."""

    async def get_neighbours(self, **match: Any) -> AsyncIterator[Any]:
        """Dump the neighbour table."""

    async def bind(self, groups: int) -> None:
        """Subscribe to multicast groups."""

    def get(self) -> AsyncIterator[Any]:
        """The messages of the groups."""


_factory: Callable[[], Any] = AsyncIPRoute


@contextlib.asynccontextmanager
async def rtnetlink() -> AsyncIterator[Rtnetlink]:
    """A socket to the kernel. Its calls raise `NetlinkError`."""
    async with _factory() as ipr:
        yield ipr


class RouteRow(NamedTuple):
    """One route as the kernel has it."""

    table: int
    destination: IPNetwork
    kind: int
    metric: int
    protocol: int
    device: int | None
    gateway: IPAddress | None
    dead: bool
    """Its device is down, has no carrier, or can't be reached."""


class RuleRow(NamedTuple):
    """One policy rule as the kernel has it."""

    version: int
    priority: int
    table: int
    protocol: int
    inverted: bool
    fwmark: int
    suppress_prefixlen: int | None


async def link_index(ipr: Rtnetlink, name: str) -> int | None:
    """The index of the interface called `name`; it changes when the interface is made anew, so ask each time."""
    found = await ipr.link_lookup(ifname=name)
    return found[0] if found else None


async def addresses(ipr: Rtnetlink, index: int) -> list[IPInterface]:
    """All addresses of one interface, link-local ones too."""
    return [
        ip_interface((row.get("local") or row.get("address"), row["prefixlen"]))
        async for row in await ipr.get_addr(index=index)
    ]


async def routes(ipr: Rtnetlink, version: int, table: int) -> list[RouteRow]:
    """All routes of one family in one table; next hops of a multipath route are not looked into."""
    return [_route(row, version) async for row in await ipr.get_routes(family=FAMILY[version], table=table)]


async def rules(ipr: Rtnetlink, version: int) -> list[RuleRow]:
    """All policy rules of one family."""
    return [_rule(row, version) async for row in await ipr.get_rules(family=FAMILY[version])]


_RTNH_F_DEAD, _RTNH_F_LINKDOWN = 1, 16


def _route(row: Any, version: int) -> RouteRow:
    destination = row.get("dst") or {4: "0.0.0.0", 6: "::"}[version]
    gateway = row.get("gateway")
    via = row.get("via")
    if gateway is None and via is not None:
        gateway = via["addr"]
    return RouteRow(
        row.get("table") or row["table"],
        ip_network((destination, row["dst_len"])),
        row["type"],
        row.get("priority") or 0,
        row["proto"],
        row.get("oif"),
        None if gateway is None else ip_address(gateway),
        bool(row["flags"] & (_RTNH_F_DEAD | _RTNH_F_LINKDOWN)),
    )


def _rule(row: Any, version: int) -> RuleRow:
    suppress = row.get("suppress_prefixlen")
    return RuleRow(
        version,
        row.get("priority") or 0,
        row.get("table") or 0,
        row.get("protocol") or 0,
        bool(row["flags"] & FIB_RULE_INVERT),
        row.get("fwmark") or 0,
        None if suppress in {None, NO_SUPPRESSION} else suppress,
    )
