"""Other VPNs in the tunnel's way, in the health list: looked for when rules or routes change, and from time to time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from slopn_helper.diagnose.vpns import in_the_way
from slopn_helper.health import warning
from slopn_helper.host.facts import Filters, Link, Route, Rule
from slopn_helper.hub import Hub
from slopn_wire.events import Warning  # noqa: A004 - the health list's word
from slopn_wire.state import Connected, Disconnected

LOOK = "others"
"""The look's name in the hub."""
EVERY = 60.0
"""Seconds between two looks while connected: packet filters aren't listened to."""
WAITING_EVERY = 10.0
"""The same while no tunnel is up: whoever waits for one shall read why soon."""
SETTLED = 1.0
"""Seconds after a change: who sets a tunnel up changes many things, and so do we."""
WITHIN = 10.0
"""Seconds for a look."""
MOST = 4
"""Traces that are told of each program."""

_log = logging.getLogger(__name__)


class Facts(Protocol):
    """What is looked at: a part of `host.facts.HostFacts`."""

    async def links(self) -> tuple[Link, ...]:
        """See `HostFacts.links`."""
        ...

    async def routes(self) -> tuple[Route, ...]:
        """See `HostFacts.routes`."""
        ...

    async def rules(self) -> tuple[Rule, ...]:
        """See `HostFacts.rules`."""
        ...

    async def filters(self) -> Filters:
        """See `HostFacts.filters`."""
        ...


class Others:
    """Looks while somebody wants a tunnel. `changes`: a word each time that rules or routes of others may have changed."""

    def __init__(self, hub: Hub, facts: Facts, changes: Callable[[], AsyncIterator[str]], interface: str) -> None:
        self._hub = hub
        self._facts = facts
        self._changes = changes
        self._interface = interface
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._watch())

    async def _listen(self) -> None:
        async for _ in self._changes():
            self._changed.set()

    async def _watch(self) -> None:
        while True:
            try:
                async with asyncio.timeout(WITHIN):
                    found = await self._look()
            except Exception as error:  # noqa: BLE001 - a look that fails is taken again
                _log.warning("other VPNs can't be looked for: %s", str(error) or type(error).__name__)
            else:
                self._hub.set_checked(LOOK, found)
            connected = isinstance(self._hub.snapshot().state, Connected)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY if connected else WAITING_EVERY):
                    await self._changed.wait()
                    await asyncio.sleep(SETTLED)
            self._changed.clear()

    async def _look(self) -> tuple[Warning, ...]:
        state = self._hub.snapshot().state
        if isinstance(state, Disconnected):
            return ()
        facts = self._facts
        traces = in_the_way(
            await facts.links(),
            await facts.routes(),
            await facts.rules(),
            await facts.filters(),
            self._interface,
            connected=isinstance(state, Connected),
        )
        told = "; ".join(f"{name} ({', '.join(parts[:MOST])})" for name, parts in traces.items())
        return (warning("other_vpn", what=told),) if told else ()
