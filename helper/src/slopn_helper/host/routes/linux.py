"""Addresses, routes and rules of the tunnel over rtnetlink(7); all of ours carry the route protocol 151.

The kernel is read first and only what differs is changed, so that applying twice changes nothing and a TUN device that
was made anew gets back what died with the old one.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import msgspec

from slopn_helper.host import rtnl, sysctl
from slopn_helper.host.journal import Entry, Journal, RemoveAddresses, RemoveRoutes, RemoveRules, SysctlWas
from slopn_helper.host.routes import RouteConfig, RouteError
from slopn_helper.host.routes.kernel import (
    change_address,
    change_route,
    change_rule,
    connected,
    our_routes,
    our_rules,
    step,
)
from slopn_helper.host.routes.plan import MAIN_TABLE, OWN_TABLE, PROTOCOL, UNICAST, Plan, Route, Rule, plan
from slopn_helper.host.rtnl import Rtnetlink
from slopn_wire.profile import IPNetwork

log = logging.getLogger(__name__)

SRC_VALID_MARK = "net/ipv4/conf/all/src_valid_mark"
ARP_IGNORE = "net/ipv4/conf/all/arp_ignore"
SYSCTLS = (SRC_VALID_MARK, ARP_IGNORE)


class LinuxRouter:
    """A `Router` by policy routing.

    Two sysctls are raised while IPv4 packets are routed by their mark: `src_valid_mark`, without which a strict
    rp_filter drops the engine's replies, and `arp_ignore`, so that the LAN can't ask for the tunnel's address.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._config: RouteConfig | None = None
        self._plan = Plan()
        self._raised: tuple[str, ...] = ()
        """The sysctls that were high enough after the last `apply`, by our doing or not."""

    async def apply(self, config: RouteConfig | None) -> None:
        """Make `config` the host's state; None removes all of ours. Idempotent. Raises `RouteError`."""
        async with connected() as ipr:
            if config is None:
                await self._remove_all(ipr)
                self._config, self._plan, self._raised = None, Plan(), ()
            else:
                self._config, self._plan = _without_ipv6(config, plan(config))
                await self._apply(ipr, self._config, self._plan)
                self._raised = tuple(filter(_is_raised, SYSCTLS)) if self._plan.marks4 else ()

    async def on_link(self) -> tuple[tuple[IPNetwork, str], ...]:
        """The networks that this host reaches without a gateway, and by which device; not our own, and no link-local ones."""
        async with connected() as ipr:
            names = {link.number: link.name for link in await rtnl.links(ipr) if link.usable}
            rows = await rtnl.routes(ipr, MAIN_TABLE)
        return tuple(
            (row.destination, names[row.device])
            for row in rows
            if row.gateway is None
            and row.kind == UNICAST
            and row.protocol != PROTOCOL
            and row.device in names
            and row.destination.prefixlen > 0
            and not row.destination.is_link_local
            and not row.destination.is_multicast
        )

    async def drift(self) -> str | None:
        """None when the host's routes and rules are those last applied; else a short description of the difference."""
        async with connected() as ipr:
            wanted = self._plan
            present = set(await our_rules(ipr))
            if missing := set(wanted.rules) - present:
                return f"missing: {min(missing, key=str)}"
            if extra := present - set(wanted.rules):
                return f"left over: {min(extra, key=str)}"
            if self._config is None:
                return None
            index = rtnl.link_index(self._config.interface)
            if index is None:
                return f"the interface {self._config.interface} is gone"
            # The kernel drops a family's routes together with its last address: name the cause first.
            addresses = await rtnl.addresses(ipr, index)
            for address in self._config.addresses:
                if address not in addresses:
                    return f"missing: address {address}"
            if others := set(addresses) - set(self._config.addresses):
                return f"left over: address {min(others, key=str)} of {self._config.interface}"
            mtu = next((link.mtu for link in await rtnl.links(ipr) if link.number == index), 0)
            if mtu != self._config.mtu:
                return f"the MTU of {self._config.interface} is {mtu} instead of {self._config.mtu}"
            for table in _tables(wanted):
                rows = await our_routes(ipr, table)
                for hop in _hops(wanted, index, table):
                    if hop not in rows:
                        return f"missing: {hop[0]}"
        return next((f"{name} was lowered" for name in self._raised if not _is_raised(name)), None)

    async def _apply(self, ipr: Rtnetlink, config: RouteConfig, wanted: Plan) -> None:
        index = rtnl.link_index(config.interface)
        if index is None:
            raise RouteError(f"there is no interface {config.interface}")
        if OWN_TABLE in _tables(wanted):
            await _refuse_foreign(ipr)
        entries: list[Entry] = [RemoveAddresses(config.interface)]
        entries += [RemoveRoutes(table, PROTOCOL) for table in _tables(wanted)]
        entries += [RemoveRules(PROTOCOL)] if wanted.rules else []
        settings = _raised_sysctls() if wanted.marks4 else []
        entries += settings
        try:
            self._journal.record(*entries)
        except OSError as error:
            raise RouteError(f"the journal can't be written, so nothing is changed: {error}") from error
        await _set_link(ipr, index, config)
        # What this plan has none of goes first, rules before the tables that they lead to.
        if not wanted.rules:
            await self._undo(ipr, RemoveRules(PROTOCOL))
        gone = [e for e in self._journal.entries() if isinstance(e, RemoveRoutes) and e.table not in _tables(wanted)]
        await self._undo(ipr, *gone)
        await _set_routes(ipr, index, wanted)
        if not wanted.marks4:
            await self._undo(ipr, *self._our_sysctls())
        for change in settings:
            _write_sysctl(change)
        await _set_rules(ipr, wanted)

    def _our_sysctls(self) -> list[Entry]:
        keys = {SysctlWas(name, "", "").key for name in SYSCTLS}
        return [entry for entry in self._journal.entries() if entry.key in keys]

    async def _remove_all(self, ipr: Rtnetlink) -> None:
        # The protocol says what is ours even where the journal was lost. Rules go first, so that nothing is led into
        # a table that is being emptied.
        entries: list[Entry] = [RemoveRules(PROTOCOL), *self._our_sysctls()]
        entries += [RemoveRoutes(table, PROTOCOL) for table in (MAIN_TABLE, OWN_TABLE)]
        entries += [e for e in self._journal.entries() if isinstance(e, RemoveRoutes | RemoveAddresses)]
        await self._undo(ipr, *{e.key: e for e in entries}.values())

    async def _undo(self, ipr: Rtnetlink, *entries: Entry) -> None:
        """Undo all that can be undone and forget it; one that fails doesn't stop the rest."""
        done: list[str] = []
        failed: list[str] = []
        for entry in entries:
            try:
                if isinstance(entry, SysctlWas):
                    sysctl.undo(entry)
                else:
                    await _undo(ipr, entry)
                done.append(entry.key)
            except (RouteError, OSError) as error:
                failed.append(str(error))
        try:
            self._journal.forget(*done)
        except OSError as error:
            failed.append(f"the journal can't be written: {error}")
        if failed:
            raise RouteError("; ".join(failed))


async def undo(entry: Entry) -> None:
    """Undo one of this module's journal entries. Nothing to undo is no error. Raises `RouteError`."""
    async with connected() as ipr:
        await _undo(ipr, entry)


async def _undo(ipr: Rtnetlink, entry: Entry) -> None:
    match entry:
        case RemoveRules(protocol=protocol):
            for rule in sorted(await our_rules(ipr, protocol), key=_last_first):
                await change_rule(ipr, "del", rule, protocol)
        case RemoveRoutes(table=table, protocol=protocol):
            for route, device in await our_routes(ipr, table, protocol):
                await change_route(ipr, "del", route, device, protocol)
        case RemoveAddresses(interface=interface):
            index = rtnl.link_index(interface)
            if index is not None:
                for address in await rtnl.addresses(ipr, index):
                    await change_address(ipr, "del", index, address)
        case _:
            raise RouteError(f"{entry.key} is not about routes")


def _without_ipv6(config: RouteConfig, wanted: Plan) -> tuple[RouteConfig, Plan]:
    """What is left where the host has no IPv6, or has it disabled for new interfaces.

    In the latter case `unreachable` and rules stay: older interfaces may still have IPv6, and it must not leave there.
    """
    switch = Path("/proc/sys/net/ipv6/conf") / config.interface / "disable_ipv6"
    has_ipv6 = switch.parent.parent.is_dir()
    if has_ipv6 and (not switch.exists() or switch.read_text(encoding="ascii").strip() == "0"):
        return config, wanted
    log.info("routes: %s has no IPv6 here: the profile's IPv6 addresses are left out", config.interface)
    addresses = tuple(a for a in config.addresses if a.version == 4)
    routes = tuple(r for r in wanted.routes if r.destination.version == 4 or (has_ipv6 and r.kind != UNICAST))
    rules = tuple(r for r in wanted.rules if r.version == 4 or has_ipv6)
    return msgspec.structs.replace(config, addresses=addresses), Plan(routes, rules)


def _is_raised(name: str) -> bool:
    try:
        return sysctl.raised(name, 1) is None
    except OSError:
        return False


def _raised_sysctls() -> list[SysctlWas]:
    try:
        return [change for name in SYSCTLS if (change := sysctl.raised(name, 1))]
    except OSError as error:
        raise RouteError(f"the kernel's settings can't be read: {error}") from error


def _write_sysctl(change: SysctlWas) -> None:
    try:
        sysctl.write(change)
    except OSError as error:
        if change.name == SRC_VALID_MARK:
            raise RouteError(f"{change.name} can't be set to 1, as the engine's replies need: {error}") from error
        log.warning("routes: the LAN can find out the tunnel's address: %s: %s", change.name, error)


async def _set_link(ipr: Rtnetlink, index: int, config: RouteConfig) -> None:
    _no_link_local(config.interface)
    with step(f"bringing {config.interface} up with MTU {config.mtu}"):
        await ipr.link("set", index=index, mtu=config.mtu, state="up")
    present = await rtnl.addresses(ipr, index)
    # Old ones first: an IPv4 address takes the later ones of its network along.
    for address in present:
        if address not in config.addresses:
            await change_address(ipr, "del", index, address)
    for address in config.addresses:
        if address not in present:
            await change_address(ipr, "add", index, address)


def _no_link_local(interface: str) -> None:
    """A point-to-point tunnel has no neighbours; a link-local address would only send solicitations into it."""
    with contextlib.suppress(OSError):
        (Path("/proc/sys/net/ipv6/conf") / interface / "addr_gen_mode").write_text("1", encoding="ascii")


async def _set_routes(ipr: Rtnetlink, index: int, wanted: Plan) -> None:
    for table in _tables(wanted):
        present = await our_routes(ipr, table)
        hops = _hops(wanted, index, table)
        stale = [hop for hop in present if hop not in hops]
        # A tunnel route through an older device is in the way of the new one; an `unreachable` one never is.
        for route, device in stale:
            if route.kind == UNICAST:
                await change_route(ipr, "del", route, device)
        for hop in hops:
            if hop not in present:
                await change_route(ipr, "add", *hop)
        for route, device in stale:
            if route.kind != UNICAST:
                await change_route(ipr, "del", route, device)


async def _set_rules(ipr: Rtnetlink, wanted: Plan) -> None:
    present = await our_rules(ipr)
    for rule in wanted.rules:
        if rule not in present:
            await change_rule(ipr, "add", rule)
    for rule in sorted(set(present) - set(wanted.rules), key=_last_first):
        await change_rule(ipr, "del", rule)


async def _refuse_foreign(ipr: Rtnetlink) -> None:
    """Another VPN's routes in the table of our rules would take our packets, or ours would take theirs."""
    for row in await rtnl.routes(ipr, OWN_TABLE):
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
