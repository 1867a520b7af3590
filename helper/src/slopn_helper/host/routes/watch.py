"""Hears when something of ours may have been taken away: routes, policy rules, addresses. What, a look tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from slopn_helper.host import rtevents
from slopn_helper.host.routes.plan import PROTOCOL

QUIET = 0.2
"""Seconds between two words: somebody who flushes a table does it route by route."""
_GROUPS = (
    rtevents.IPV4_ROUTE
    | rtevents.IPV6_ROUTE
    | rtevents.IPV4_RULE
    | rtevents.IPV6_RULE
    | rtevents.IPV4_ADDRESS
    | rtevents.IPV6_ADDRESS
)
_DELETED_ADDRESS, _DELETED_ROUTE, _DELETED_RULE = 21, 25, 33


async def changes() -> AsyncGenerator[str]:
    """A word each time, our own changes included. Ends only when its task is cancelled."""
    loop = asyncio.get_running_loop()
    happened = asyncio.Event()
    with rtevents.notifications(_GROUPS) as sock:
        loop.add_reader(sock, happened.set)
        try:
            while True:
                await happened.wait()
                happened.clear()
                heard = [message for message in rtevents.received(sock) if message is None or concerns_us(*message)]
                if heard:
                    yield "routes, rules or addresses were removed"
                    await asyncio.sleep(QUIET)
        finally:
            loop.remove_reader(sock)


def concerns_us(kind: int, body: bytes) -> bool:
    """Whether a notification may be of something of ours that has gone. Rules don't say whose they are."""
    if kind == _DELETED_ROUTE:
        # rtmsg: family, lengths of destination and source, tos, table, protocol.
        return len(body) > 5 and body[5] == PROTOCOL
    return kind in {_DELETED_ADDRESS, _DELETED_RULE}
