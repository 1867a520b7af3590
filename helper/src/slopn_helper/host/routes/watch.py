"""Hears when something of ours may have been taken away, or another's put before it: routes, rules, addresses. A look tells what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

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
_DELETED_ADDRESS, _NEW_ROUTE, _DELETED_ROUTE, _NEW_RULE, _DELETED_RULE = 21, 24, 25, 32, 33
_WIDE = 3
"""Bits of a prefix that takes an eighth of the internet or more."""


async def changes() -> AsyncGenerator[str]:
    """A word each time, our own changes included. Ends only when its task is cancelled."""
    async for word in _heard(_GROUPS, concerns_us, "routes, rules or addresses were removed"):
        yield word


async def others() -> AsyncGenerator[str]:
    """A word each time that a rule or a wide route of another program came or went. Ends only when its task is cancelled."""
    groups = rtevents.IPV4_ROUTE | rtevents.IPV6_ROUTE | rtevents.IPV4_RULE | rtevents.IPV6_RULE
    async for word in _heard(groups, concerns_others, "rules or routes of another program have changed"):
        yield word


async def _heard(groups: int, concerns: Callable[[int, bytes], bool], word: str) -> AsyncGenerator[str]:
    loop = asyncio.get_running_loop()
    happened = asyncio.Event()
    with rtevents.notifications(groups) as sock:
        loop.add_reader(sock, happened.set)
        try:
            while True:
                await happened.wait()
                happened.clear()
                heard = [message for message in rtevents.received(sock) if message is None or concerns(*message)]
                if heard:
                    yield word
                    await asyncio.sleep(QUIET)
        finally:
            loop.remove_reader(sock)


def concerns_us(kind: int, body: bytes) -> bool:
    """Whether a notification may be of something of ours that has gone. Rules don't say whose they are."""
    if kind == _DELETED_ROUTE:
        # rtmsg: family, lengths of destination and source, tos, table, protocol.
        return len(body) > 5 and body[5] == PROTOCOL
    return kind in {_DELETED_ADDRESS, _DELETED_RULE}


def concerns_others(kind: int, body: bytes) -> bool:
    """Whether a notification may be of something of others that leads packets elsewhere. Rules don't say whose they are."""
    if kind in {_NEW_ROUTE, _DELETED_ROUTE}:
        return len(body) > 5 and body[1] <= _WIDE and body[5] != PROTOCOL
    return kind in {_NEW_RULE, _DELETED_RULE}
