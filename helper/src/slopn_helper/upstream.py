"""Who is asked for gateways' names: the host's own resolvers, which may come later than the route of their network."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from slopn_helper.hub import Hub
from slopn_wire.profile import IPAddress
from slopn_wire.state import Connecting, ErrorCause, Step, TunnelState

EVERY = 2.0
"""Seconds between two looks while a name is asked for, or was asked for in vain."""

Resolvers = tuple[IPAddress, ...]


class Upstream:
    """Looks again while names are asked for: a DHCP client or a person may write resolv.conf at any time."""

    def __init__(
        self, hub: Hub, read: Callable[[], Awaitable[Resolvers]], exchange: Callable[[Resolvers], Resolvers]
    ) -> None:
        """`exchange` lets resolvers hold and returns those that held before."""
        self._hub = hub
        self._read = read
        self._exchange = exchange
        self._moved = asyncio.Event()

    def moved(self) -> None:
        """The tunnel has come to another state."""
        self._moved.set()

    async def look(self) -> bool:
        """Read them. Whether others hold than before."""
        found = await self._read()
        return self._exchange(found) != found

    async def watch(self, others: Callable[[], None]) -> None:
        """Calls `others` when a name should be asked of other resolvers. Runs until cancelled."""
        while True:
            self._moved.clear()
            if _asks(self._hub.snapshot().state) and await self.look() and _asks(self._hub.snapshot().state):
                others()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY if _asks(self._hub.snapshot().state) else None):
                    await self._moved.wait()


def _asks(state: TunnelState) -> bool:
    return isinstance(state, Connecting) and (state.step is Step.RESOLVING or state.cause is ErrorCause.RESOLVE)
