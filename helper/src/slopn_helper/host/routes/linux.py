"""Addresses, routes and rules of the tunnel over rtnetlink(7); all of ours carry the route protocol 151.

The kernel is read first and only what differs is changed, so that applying twice changes nothing and a TUN device that
was made anew gets back what died with the old one.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from pyroute2.netlink.exceptions import NetlinkError

from slopn_helper.host import rtnl, sysctl
from slopn_helper.host.journal import Entry, Journal, RemoveAddresses, RemoveRoutes, RemoveRules, SysctlWas
from slopn_helper.host.routes import RouteConfig, RouteError
from slopn_helper.host.routes.plan import MAIN_TABLE, OWN_TABLE, PROTOCOL, UNICAST, Plan, Route, Rule, plan
from slopn_helper.host.rtnl import Rtnetlink
from slopn_wire.profile import IPInterface

log = logging.getLogger(__name__)

SRC_VALID_MARK = "net/ipv4/conf/all/src_valid_mark"
ARP_IGNORE = "net/ipv4/conf/all/arp_ignore"

_IFA_F_NODAD, _IFA_F_NOPREFIXROUTE = 0x02, 0x200
_SCOPE_LINK = 253
_GONE = {errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENODEV}


class LinuxRouter:
    """A `Router` by policy routing.

    Two sysctls are raised while IPv4 packets are routed by their mark: `src_valid_mark`, without which a strict
    rp_filter drops the engine's replies, and `arp_ignore`, so that the LAN can't ask for the tunnel's address.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._config: RouteConfig | None = None

    async def apply(self, config: RouteConfig | None) -> None:
        """Make `config` the host's state; None removes all of ours. Idempotent. Raises `RouteError`."""
        async with _kernel() as ipr:
            if config is None:
                await self._remove_all(ipr)
            else:
                await self._apply(ipr, config, plan(config))
        self._config = config

    async def drift(self) -> str | None:
        """None when the host's routes and rules are those last applied; else a short description of the difference."""
        async with _kernel() as ipr:
            wanted = Plan() if self._config is None else plan(self._config)
            present = set(await _our_rules(ipr))
            if missing := set(wanted.rules) - present:
                return f"missing: {min(missing, key=str)}"
            if extra := present - set(wanted.rules):
                return f"left over: {min(extra, key=str)}"
            if self._config is None:
                return None
            index = await rtnl.link_index(ipr, self._config.interface)
            if index is None:
                return f"the interface {self._config.interface} is gone"
            # The kernel drops a family's routes together with its last address: name the cause first.
            addresses = await rtnl.addresses(ipr, index)
            for address in self._config.addresses:
                if address not in addresses:
                    return f"missing: address {address}"
            for table in _tables(wanted):
                rows = await _our_routes(ipr, table)
                for hop in _hops(wanted, index, table):
                    if hop not in rows:
                        return f"missing: {hop[0]}"
        return None

    async def _apply(self, ipr: Rtnetlink, config: RouteConfig, wanted: Plan) -> None:
        index = await rtnl.link_index(ipr, config.interface)
        if index is None:
            raise RouteError(f"there is no interface {config.interface}")
        if OWN_TABLE in _tables(wanted):
            await _refuse_foreign(ipr)
        entries: list[Entry] = [RemoveAddresses(config.interface)]
        entries += [RemoveRoutes(table, PROTOCOL) for table in _tables(wanted)]
        entries += [RemoveRules(PROTOCOL)] if wanted.rules else []
        try:
            self._journal.record(*entries)
        except OSError as error:
            raise RouteError(f"the journal can't be written, so nothing is changed: {error}") from error
        await _set_link(ipr, index, config)
        # What this plan has none of goes first, rules before the tables that they lead to.
        if not wanted.rules:
            await self._undo(ipr, RemoveRules(PROTOCOL))
        for entry in self._journal.entries():
            if isinstance(entry, RemoveRoutes) and entry.table not in _tables(wanted):
                await self._undo(ipr, entry)
        await _set_routes(ipr, index, wanted)
        await self._set_sysctls(ipr, wanted)
        await _set_rules(ipr, wanted)

    async def _set_sysctls(self, ipr: Rtnetlink, wanted: Plan) -> None:
        if not wanted.marks4:
            for entry in self._our_sysctls():
                await self._undo(ipr, entry)
            return
        try:
            sysctl.raise_to(self._journal, SRC_VALID_MARK, 1)
        except OSError as error:
            raise RouteError(f"{SRC_VALID_MARK} can't be set to 1, as the engine's replies need: {error}") from error
        try:
            sysctl.raise_to(self._journal, ARP_IGNORE, 1)
        except OSError as error:
            log.warning("routes: the LAN can find out the tunnel's address: %s: %s", ARP_IGNORE, error)

    def _our_sysctls(self) -> list[Entry]:
        keys = {SysctlWas(name, "", "").key for name in (SRC_VALID_MARK, ARP_IGNORE)}
        return [entry for entry in self._journal.entries() if entry.key in keys]

    async def _remove_all(self, ipr: Rtnetlink) -> None:
        # The protocol says what is ours even where the journal was lost. Rules go first, so that nothing is led into
        # a table that is being emptied.
        entries: list[Entry] = [RemoveRules(PROTOCOL), *self._our_sysctls()]
        entries += [RemoveRoutes(table, PROTOCOL) for table in (MAIN_TABLE, OWN_TABLE)]
        entries += [e for e in self._journal.entries() if isinstance(e, RemoveRoutes | RemoveAddresses)]
        failed: list[str] = []
        for entry in {e.key: e for e in entries}.values():
            try:
                await self._undo(ipr, entry)
            except RouteError as error:
                failed.append(str(error))
        if failed:
            raise RouteError("; ".join(failed))

    async def _undo(self, ipr: Rtnetlink, entry: Entry) -> None:
        try:
            if isinstance(entry, SysctlWas):
                sysctl.undo(entry)
            else:
                await _undo(ipr, entry)
            self._journal.forget(entry.key)
        except OSError as error:
            raise RouteError(f"{entry.key} could not be undone: {error}") from error


async def undo(entry: Entry) -> None:
    """Undo one of this module's journal entries. Nothing to undo is no error. Raises `RouteError`."""
    async with _kernel() as ipr:
        await _undo(ipr, entry)


async def _undo(ipr: Rtnetlink, entry: Entry) -> None:
    match entry:
        case RemoveRules(protocol=protocol):
            for rule in sorted(await _our_rules(ipr, protocol), key=_last_first):
                await _rule(ipr, "del", rule, protocol)
        case RemoveRoutes(table=table, protocol=protocol):
            for route, device in await _our_routes(ipr, table, protocol):
                await _route(ipr, "del", route, device, protocol)
        case RemoveAddresses(interface=interface):
            index = await rtnl.link_index(ipr, interface)
            if index is not None:
                for address in await rtnl.addresses(ipr, index):
                    await _address(ipr, "del", index, address)
        case _:
            raise RouteError(f"{entry.key} is not about routes")


async def _set_link(ipr: Rtnetlink, index: int, config: RouteConfig) -> None:
    _no_link_local(config.interface)
    with _step(f"bringing {config.interface} up with MTU {config.mtu}"):
        await ipr.link("set", index=index, mtu=config.mtu, state="up")
    present = await rtnl.addresses(ipr, index)
    for address in config.addresses:
        if address not in present:
            await _address(ipr, "add", index, address)
    for address in present:
        if address not in config.addresses:
            await _address(ipr, "del", index, address)


def _no_link_local(interface: str) -> None:
    """A point-to-point tunnel has no neighbours; a link-local address would only send solicitations into it."""
    with contextlib.suppress(OSError):
        (Path("/proc/sys/net/ipv6/conf") / interface / "addr_gen_mode").write_text("1", encoding="ascii")


async def _set_routes(ipr: Rtnetlink, index: int, wanted: Plan) -> None:
    for table in _tables(wanted):
        present = await _our_routes(ipr, table)
        hops = _hops(wanted, index, table)
        stale = [hop for hop in present if hop not in hops]
        # A tunnel route through an older device is in the way of the new one; an `unreachable` one never is.
        for route, device in stale:
            if route.kind == UNICAST:
                await _route(ipr, "del", route, device)
        for hop in hops:
            if hop not in present:
                await _route(ipr, "add", *hop)
        for route, device in stale:
            if route.kind != UNICAST:
                await _route(ipr, "del", route, device)


async def _set_rules(ipr: Rtnetlink, wanted: Plan) -> None:
    present = await _our_rules(ipr)
    for rule in wanted.rules:
        if rule not in present:
            await _rule(ipr, "add", rule)
    for rule in sorted(set(present) - set(wanted.rules), key=_last_first):
        await _rule(ipr, "del", rule)


async def _refuse_foreign(ipr: Rtnetlink) -> None:
    """Another VPN's routes in the table of our rules would take our packets, or ours would take theirs."""
    for version in (4, 6):
        for row in await rtnl.routes(ipr, version, OWN_TABLE):
            if row.protocol != PROTOCOL:
                raise RouteError(
                    f"routing table {OWN_TABLE} is in use by another program ({row.destination}), probably by a tunnel "
                    "of wg-quick: take that down first"
                )


def _tables(wanted: Plan) -> list[int]:
    return list(dict.fromkeys(route.table for route in wanted.routes))


def _hops(wanted: Plan, index: int, table: int) -> list[tuple[Route, int | None]]:
    return [(r, index if r.kind == UNICAST else None) for r in wanted.routes if r.table == table]


def _last_first(rule: Rule) -> int:
    """The catch-all is removed first: then packets take main's default route as before, never half of ours."""
    return -rule.priority


async def _our_rules(ipr: Rtnetlink, protocol: int = PROTOCOL) -> list[Rule]:
    return [
        Rule(row.version, row.priority, row.table, row.fwmark if row.inverted else None)
        for version in (4, 6)
        for row in await rtnl.rules(ipr, version)
        if row.protocol == protocol
    ]


async def _our_routes(ipr: Rtnetlink, table: int, protocol: int = PROTOCOL) -> list[tuple[Route, int | None]]:
    """Our routes in one table and the devices they lead through, none for an `unreachable` one."""
    return [
        (Route(row.table, row.destination, row.kind, row.metric), row.device if row.kind == UNICAST else None)
        for version in (4, 6)
        for row in await rtnl.routes(ipr, version, table)
        if row.protocol == protocol
    ]


async def _route(ipr: Rtnetlink, verb: str, route: Route, device: int | None, protocol: int = PROTOCOL) -> None:
    version = route.destination.version
    spec = {"family": rtnl.FAMILY[version], "dst": str(route.destination), "table": route.table, "proto": protocol}
    if route.metric:
        spec["priority"] = route.metric
    if route.kind == UNICAST:
        spec |= {"oif": device, "scope": _SCOPE_LINK if version == 4 else 0}
    else:
        spec["type"] = route.kind
    with _step(f"route {route}", verb):
        await ipr.route(verb, **spec)


async def _rule(ipr: Rtnetlink, verb: str, rule: Rule, protocol: int = PROTOCOL) -> None:
    spec = {"family": rtnl.FAMILY[rule.version], "priority": rule.priority, "table": rule.table, "protocol": protocol}
    if verb == "add" and rule.fwmark is None:
        spec["FRA_SUPPRESS_PREFIXLEN"] = 0
    elif verb == "add":
        spec |= {"fwmark": rule.fwmark, "flags": rtnl.FIB_RULE_INVERT}
    with _step(str(rule), verb):
        await ipr.rule(verb, **spec)


async def _address(ipr: Rtnetlink, verb: str, index: int, address: IPInterface) -> None:
    spec = {"index": index, "address": str(address.ip), "prefixlen": address.network.prefixlen}
    if verb == "add":
        # Without prefix routes the allowed IPs alone decide what goes in; without DAD the address is usable at once.
        spec["flags"] = _IFA_F_NOPREFIXROUTE | (_IFA_F_NODAD if address.version == 6 else 0)
    with _step(f"address {address}", verb):
        await ipr.addr(verb, **spec)


@contextlib.contextmanager
def _step(what: str, verb: str = "") -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        if verb == "del" and error.code in _GONE:
            return
        doing = {"add": "adding ", "del": "removing "}.get(verb, "")
        cause = "another program has the same" if error.code == errno.EEXIST else os.strerror(error.code)
        raise RouteError(f"{doing}{what}: {cause}") from error


@contextlib.asynccontextmanager
async def _kernel() -> AsyncIterator[Rtnetlink]:
    try:
        async with rtnl.rtnetlink() as ipr:
            yield ipr
    except (NetlinkError, OSError) as error:
        raise RouteError(f"the kernel's routing can't be read: {error}") from error
