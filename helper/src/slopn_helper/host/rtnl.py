"""Typed reading of the kernel's links, addresses, routes and rules over pyroute2 (rtnetlink(7)).

Dumps are filtered by the kernel (NETLINK_GET_STRICT_CHK, Linux 4.20), since decoding a row costs more than all the rest.
"""

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
_VERSION = {family: version for version, family in FAMILY.items()}
FIB_RULE_INVERT = 2
NO_SUPPRESSION = 0xFFFFFFFF


class Rtnetlink(Protocol):
    """What we use of pyroute2's `AsyncIPRoute`, whose calls have no types.

    The command `dump` returns an asynchronous iterator of rows, mappings of attribute names. Its keywords go to the
    kernel if `dump_filter` is None; otherwise pyroute2 asks for everything and throws away what doesn't match.
    """

    async def link(self, command: str, **spec: Any) -> Any:
        """Change or dump links."""

    async def addr(self, command: str, **spec: Any) -> Any:
        """Add, delete or dump addresses."""

    async def neigh(self, command: str, **spec: Any) -> Any:
        """Dump the neighbour table."""

    async def route(self, command: str, **spec: Any) -> Any:
        """Add, delete or dump routes."""

    async def rule(self, command: str, **spec: Any) -> Any:
        """Add, delete or dump policy rules."""

    async def bind(self, groups: int) -> None:
        """Subscribe to multicast groups."""

    def get(self) -> AsyncIterator[Any]:
        """The messages of the groups."""


_factory: Callable[..., Any] = AsyncIPRoute


@contextlib.asynccontextmanager
async def rtnetlink() -> AsyncIterator[Rtnetlink]:
    """A socket to the kernel. Its calls raise `NetlinkError`."""
    async with _factory(strict_check=True) as ipr:
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
    selective: bool = False
    """Only packets from or to certain addresses, devices, users or ports match."""


def link_index(name: str) -> int | None:
    """The index of the interface called `name`; it changes when the interface is made anew, so ask each time."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


async def links(ipr: Rtnetlink) -> list[LinkRow]:
    """All interfaces of the network namespace."""
    return [
        LinkRow(
            row["index"],
            row.get("ifname"),
            row.get("mtu") or 0,
            bool(row["flags"] & _IFF_UP) and row.get("operstate") in {"UP", "UNKNOWN"},
        )
        async for row in await ipr.link("dump")
    ]


async def addresses(ipr: Rtnetlink, index: int, *, settled: bool = False) -> list[IPInterface]:
    """All addresses of one interface, link-local ones too; with `settled`, none that is tentative or runs out."""
    unwanted = _IFA_F_TENTATIVE | _IFA_F_DEPRECATED | _IFA_F_DADFAILED if settled else 0
    return [
        ip_interface((row.get("local") or row.get("address"), row["prefixlen"]))
        async for row in await ipr.addr("dump", index=index, dump_filter=None)
        if not (row.get("flags") or 0) & unwanted
    ]


async def link_layer_address(ipr: Rtnetlink, index: int, neighbour: IPAddress) -> str | None:
    """The MAC of a neighbour on one interface, if it was heard from."""
    family = FAMILY[neighbour.version]
    async for row in await ipr.neigh("dump", family=family, NDA_IFINDEX=index, dump_filter=None):
        if row["state"] & _NUD_HEARD and row.get("dst") == str(neighbour):
            mac: str | None = row.get("lladdr")
            return mac
    return None


async def routes(ipr: Rtnetlink, table: int) -> list[RouteRow]:
    """All routes of both families in one table, IPv4 first; of a multipath route the first usable next hop."""
    return [
        _route(row, version)
        async for row in await ipr.route("dump", family=socket.AF_UNSPEC, table=table, dump_filter=None)
        if (version := _VERSION.get(row["family"]))
    ]


async def rules(ipr: Rtnetlink) -> list[RuleRow]:
    """All policy rules of both families, in no particular order; those of multicast routing are left out."""
    return [
        _rule(row, version)
        async for row in await ipr.rule("dump", family=socket.AF_UNSPEC, dump_filter=None)
        if (version := _VERSION.get(row["family"]))
    ]


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


_SELECTORS = ("iifname", "oifname", "uid_range", "ip_proto", "sport_range", "dport_range", "tun_id", "l3mdev")


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
        bool(row["src_len"] or row["dst_len"] or row["tos"] or any(row.get(name) for name in _SELECTORS)),
    )
