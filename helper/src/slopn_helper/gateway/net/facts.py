"""What the doctor judges by, asked of this host; nothing is changed. In the calling thread's network namespace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from slopn_helper.gateway import sysctls
from slopn_helper.gateway.net import GatewayNetError
from slopn_helper.gateway.net.doctor import Facts, ForeignChain, Link, Setting
from slopn_helper.gateway.net.policy import GatewayNetPolicy
from slopn_helper.gateway.net.rules import chains
from slopn_helper.gateway.net.table import Table
from slopn_helper.host import rtnl

_PROC_NET = Path("/proc/thread-self/net")
_MAIN = 254
_UNICAST = 1
_HOOKS = {"forward", "input"}


async def gather(policy: GatewayNetPolicy) -> Facts:
    """Everything. Raises `GatewayNetError` where the kernel doesn't answer."""
    try:
        async with rtnl.rtnetlink() as ipr:
            links = await rtnl.links(ipr)
            routes = await rtnl.routes(ipr, _MAIN)
    except (NetlinkError, OSError) as error:
        raise GatewayNetError(f"the kernel's routing can't be read: {error}") from error
    names = {link.number: link.name for link in links}
    usual = sorted(
        (r for r in routes if r.kind == _UNICAST and r.destination.prefixlen == 0 and not r.dead),
        key=lambda route: route.metric,
    )
    by_version = {
        version: tuple(names.get(r.device or 0, "?") for r in usual if r.destination.version == version)
        for version in (4, 6)
    }
    table = Table(owned=False)
    try:
        difference = table.compared(chains(policy))
        foreign = tuple(table.foreign(_HOOKS))
    finally:
        table.close()
    return Facts(
        table=difference,
        settings=tuple(Setting(change.name, change.value, change.ours) for change in sysctls.missing(policy)),
        links=tuple(Link(link.name, link.mtu, link.usable) for link in links),
        default4=by_version[4],
        default6=by_version[6],
        chains=tuple(foreign_chain(chain, rules) for chain, rules in foreign),
        legacy=any(map(_legacy, ("ip_tables_names", "ip6_tables_names"))),
    )


def foreign_chain(chain: Mapping[str, Any], objects: Iterable[Mapping[str, Any]]) -> ForeignChain:
    """One base chain, with what is said in its table's listing (libnftables-json(5))."""
    interfaces: set[str] = set()
    ports: set[int] = set()
    beside: set[str] = set()
    for item in objects:
        if "chain" in item:
            beside.add(item["chain"]["name"])
        for expression in item.get("rule", {}).get("expr", ()):
            match expression:
                case {"match": {"op": "==", "left": {"meta": {"key": "iifname" | "oifname"}}, "right": right}}:
                    interfaces |= {value for value in _members(right) if isinstance(value, str)}
                case {"match": {"op": "==", "left": {"payload": {"field": "dport"}}, "right": right}}:
                    ports |= {value for value in _members(right) if isinstance(value, int)}
    return ForeignChain(
        chain["family"],
        chain["table"],
        chain["name"],
        chain["hook"],
        chain.get("policy") == "drop",
        frozenset(beside),
        frozenset(interfaces),
        frozenset(ports),
    )


def _members(right: Any) -> list[Any]:
    return right["set"] if isinstance(right, dict) and isinstance(right.get("set"), list) else [right]


def _legacy(name: str) -> bool:
    with contextlib.suppress(OSError):
        return "filter" in (_PROC_NET / name).read_text(encoding="ascii").split()
    return False
