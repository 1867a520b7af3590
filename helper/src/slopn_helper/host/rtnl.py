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


class LinkRow(NamedTuple):
    """One interface as the kernel has it."""

    number: int
    name: str
    mtu: int
    usable: bool
    """It is up and has a carrier, as far as its driver tells (RFC 2863's operational state)."""


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


async def links(ipr: Rtnetlink) -> list[LinkRow]:
    """All interfaces of the network namespace."""
    return [
        LinkRow(
            row["index"],
            row.get("ifname"),
            row.get("mtu") or 0,
            bool(row["flags"] & _IFF_UP) and row.get("operstate") in {"UP", "UNKNOWN"},
        )
        async for row in await ipr.get_links()
    ]


async def addresses(ipr: Rtnetlink, index: int, *, settled: bool = False) -> list[IPInterface]:
    """All addresses of one interface, link-local ones too; with `settled`, none that is tentative or runs out."""
    unwanted = _IFA_F_TENTATIVE | _IFA_F_DEPRECATED | _IFA_F_DADFAILED if settled else 0
    return [
        ip_interface((row.get("local") or row.get("address"), row["prefixlen"]))
        async for row in await ipr.get_addr(index=index)
        if not (row.get("flags") or 0) & unwanted
    ]


async def link_layer_address(ipr: Rtnetlink, index: int, neighbour: IPAddress) -> str | None:
    """The MAC of a neighbour on one interface, if it was heard from."""
    async for row in await ipr.get_neighbours(family=FAMILY[neighbour.version], ifindex=index):
        if row["state"] & _NUD_HEARD and row.get("dst") == str(neighbour):
            mac: str | None = row.get("lladdr")
            return mac
    return None


async def routes(ipr: Rtnetlink, version: int, table: int) -> list[RouteRow]:
    """All routes of one family in one table; of a multipath route the first usable next hop."""
    return [_route(row, version) async for row in await ipr.get_routes(family=FAMILY[version], table=table)]


async def rules(ipr: Rtnetlink, version: int) -> list[RuleRow]:
    """All policy rules of one family."""
    return [_rule(row, version) async for row in await ipr.get_rules(family=FAMILY[version])]


_IFF_UP = 1
_IFA_F_DADFAILED, _IFA_F_DEPRECATED, _IFA_F_TENTATIVE = 0x08, 0x20, 0x40
_NUD_HEARD = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
"""Reachable, stale, delay, probe, permanent."""
_RTNH_UNUSABLE = 1 | 16
"""Dead, link down."""


def _route(row: Any, version: int) -> RouteRow:
    destination = row.get("dst") or {4: "0.0.0.0", 6: "::"}[version]
    hop, flags = row, row["flags"]
    if several := row.get("multipath"):
        hop = next((h for h in several if not h["flags"] & _RTNH_UNUSABLE), several[0])
        flags = hop["flags"]
    gateway = hop.get("gateway") or (hop.get("via") or {}).get("addr")
    return RouteRow(
        row.get("table") or row["table"],
        ip_network((destination, row["dst_len"])),
        row["type"],
        row.get("priority") or 0,
        row["proto"],
        hop.get("oif"),
        None if gateway is None else ip_address(gateway),
        bool(flags & _RTNH_UNUSABLE),
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
