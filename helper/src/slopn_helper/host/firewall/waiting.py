"""Packets that have passed the rules already and wait for a neighbour's link-layer address.

They leave as soon as the neighbour answers, whatever rules are in force by then: a host that closes must drop them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyroute2.iproute.linux import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from slopn_helper.host.firewall import FirewallError

_NUD_INCOMPLETE = 0x01

_factory: Callable[[], Any] = AsyncIPRoute


async def drop_waiting() -> int:
    """Forget every neighbour that is being asked for, and with it what waits; how many they were.

    Nothing is lost for good: the next packet that may leave asks anew. Raises `FirewallError`.
    """
    dropped = 0
    try:
        async with _factory() as ipr:
            rows = [row async for row in await ipr.get_neighbours()]
            for row in rows:
                if row["state"] & _NUD_INCOMPLETE:
                    dropped += await _forget(ipr, row)
    except (OSError, NetlinkError) as error:
        raise FirewallError(f"what waits for a neighbour's address can't be dropped: {error}") from error
    return dropped


async def _forget(ipr: Any, row: Any) -> int:
    try:
        await ipr.neigh("del", family=row["family"], ifindex=row["ifindex"], dst=row.get_attr("NDA_DST"))
    except NetlinkError:
        # It has answered or given up meanwhile: what waited has left before the rules, or is gone.
        return 0
    return 1
