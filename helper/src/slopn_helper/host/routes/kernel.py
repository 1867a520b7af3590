"""Reading and changing what is ours in the kernel's routing, with errors that name the step (rtnetlink(7))."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from slopn_helper.host import rtnl
from slopn_helper.host.routes import RouteError
from slopn_helper.host.routes.plan import PROTOCOL, UNICAST, Route, Rule
from slopn_helper.host.rtnl import Rtnetlink
from slopn_wire.profile import IPInterface

_IFA_F_NODAD, _IFA_F_NOPREFIXROUTE = 0x02, 0x200
_SCOPE_LINK = 253
_GONE = {errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENODEV}


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[Rtnetlink]:
    """A socket to the kernel; whatever goes wrong with it is a `RouteError`."""
    try:
        async with rtnl.rtnetlink() as ipr:
            yield ipr
    except (NetlinkError, OSError) as error:
        raise RouteError(f"the kernel's routing can't be read: {error}") from error


async def our_rules(ipr: Rtnetlink, protocol: int = PROTOCOL) -> list[Rule]:
    """Our policy rules of both families."""
    return [
        Rule(row.version, row.priority, row.table, row.fwmark if row.inverted else None)
        for row in await rtnl.rules(ipr)
        if row.protocol == protocol
    ]


async def our_routes(ipr: Rtnetlink, table: int, protocol: int = PROTOCOL) -> list[tuple[Route, int | None]]:
    """Our routes in one table and the devices they lead through, none for an `unreachable` one."""
    return [
        (Route(row.table, row.destination, row.kind, row.metric), row.device if row.kind == UNICAST else None)
        for row in await rtnl.routes(ipr, table)
        if row.protocol == protocol
    ]


async def change_route(ipr: Rtnetlink, verb: str, route: Route, device: int | None, protocol: int = PROTOCOL) -> None:
    """Add or delete (`verb`) one route. Deleting what is gone is no error. Raises `RouteError`."""
    version = route.destination.version
    spec: dict[str, Any] = {
        "family": rtnl.FAMILY[version],
        "dst": str(route.destination),
        "table": route.table,
        "proto": protocol,
    }
    if route.metric:
        spec["priority"] = route.metric
    if route.kind == UNICAST:
        spec |= {"oif": device, "scope": _SCOPE_LINK if version == 4 else 0}
    else:
        spec["type"] = route.kind
    with step(f"route {route}", verb):
        await ipr.route(verb, **spec)


async def change_rule(ipr: Rtnetlink, verb: str, rule: Rule, protocol: int = PROTOCOL) -> None:
    """Add or delete (`verb`) one policy rule. Deleting what is gone is no error. Raises `RouteError`."""
    spec: dict[str, Any] = {
        "family": rtnl.FAMILY[rule.version],
        "priority": rule.priority,
        "table": rule.table,
        "protocol": protocol,
    }
    if verb == "add" and rule.fwmark is None:
        spec["FRA_SUPPRESS_PREFIXLEN"] = 0
    elif verb == "add":
        spec |= {"fwmark": rule.fwmark, "flags": rtnl.FIB_RULE_INVERT}
    with step(str(rule), verb):
        await ipr.rule(verb, **spec)


async def change_address(
    ipr: Rtnetlink, verb: str, index: int, address: IPInterface, *, prefix_route: bool = False
) -> None:
    """Add or delete (`verb`) one address; with `prefix_route` its network is reached by it. Raises `RouteError`.

    Deleting what is gone is no error.
    """
    spec: dict[str, Any] = {"index": index, "address": str(address.ip), "prefixlen": address.network.prefixlen}
    if verb == "add":
        # Without prefix routes the allowed IPs alone decide what goes in; without DAD the address is usable at once.
        spec["flags"] = (0 if prefix_route else _IFA_F_NOPREFIXROUTE) | (_IFA_F_NODAD if address.version == 6 else 0)
    with step(f"address {address}", verb):
        await ipr.addr(verb, **spec)


@contextlib.contextmanager
def step(what: str, verb: str = "") -> Iterator[None]:
    """Turns the kernel's refusal within it into a `RouteError` that names `what`."""
    try:
        yield
    except NetlinkError as error:
        if verb == "del" and error.code in _GONE:
            return
        doing = {"add": "adding ", "del": "removing "}.get(verb, "")
        cause = "another program has the same" if error.code == errno.EEXIST else os.strerror(error.code)
        raise RouteError(f"{doing}{what}: {cause}") from error
