"""What a running gateway wants of the registry besides devices: that it is there, its pools, how far they are lent, order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from slopn_helper.gateway.lagging import LaggingClock
from slopn_helper.gateway.memory import Known, Memory
from slopn_helper.gateway.registry.errors import RegistryError, Unavailable
from slopn_helper.gateway.registry.feed import Update
from slopn_helper.gateway.types import Pool

TIDY_EVERY = 300.0
"""Seconds between two times that addresses are freed and old names forgotten."""
COUNT_EVERY = 15.0
"""Seconds between two looks at how many addresses are lent, and at pools that other gateways have added."""
AGAIN = 1.0
"""Seconds until a database that didn't answer at the start is asked again."""

_log = logging.getLogger(__name__)


class Registry(Protocol):
    """What is needed of the registry: see `registry.Registry`."""

    async def create(self, pools: Sequence[Pool]) -> None:
        """See there."""

    async def pools(self) -> tuple[Pool, ...]:
        """See there."""
        ...

    async def lent(self) -> dict[str, int]:
        """See there."""
        ...

    async def sweep(self, *, now: float, keep: float) -> int:
        """See there."""
        ...

    def changes(self) -> AsyncIterator[Update]:
        """See there."""
        ...


class Ledger:
    """The registry as this gateway sees it. `wanted`: the pools of the settings. `keep`: seconds that old names are kept."""

    def __init__(
        self,
        registry: Registry,
        wanted: Sequence[Pool],
        clock: Callable[[], float],
        *,
        keep: float,
        memory: Memory | None = None,
    ) -> None:
        """`memory`: who is let in while a registry elsewhere hasn't answered since the start."""
        self.pools = tuple(wanted)
        """All pools, also those of other gateways; until the registry answers, those of the settings."""
        self.lent: dict[str, int] = {}
        """How many addresses of each are lent, by name, as of the last look."""
        self.trouble: str | None = "The registry hasn't answered yet."
        """Why there is no registry; None: there is."""
        self._registry = registry
        self._wanted = tuple(wanted)
        self._clock = clock
        self._keep = keep
        self._memory = memory
        self._remembered: Known | None = None

    async def create(self) -> None:
        """The registry with its schema brought up to date; one that doesn't answer is noted and no error.

        Raises `RegistryError` where it can't be this gateway's.
        """
        try:
            await self._registry.create(self._wanted)
            self.pools = await self._registry.pools()
            self.lent = await self._registry.lent()
        except Unavailable as error:
            if self.trouble != str(error):
                _log.warning("%s", error)
            self.trouble = str(error)
            self._remember()
        else:
            self.trouble = None

    async def updates(self) -> AsyncIterator[Update]:
        """What the registry tells, as soon as there is one; until then whom this gateway remembers."""
        if self.trouble is not None and self._remembered is not None:
            yield Update(whole=True, devices=self._remembered.devices)
        while self.trouble is not None:
            await asyncio.sleep(AGAIN)
            await self.create()
        self._remembered = None
        async for update in self._registry.changes():
            if self._memory is not None:
                self._memory.note(update)
            yield update

    async def remember(self) -> None:
        """Keep the copy of what `updates` has told, until cancelled."""
        if self._memory is not None:
            await self._memory.keep(lambda: self.pools)

    def _remember(self) -> None:
        """Once, at the start."""
        if self._memory is None or self._remembered is not None:
            return
        known = self._memory.read()
        # With other networks in the settings since, the rules for these devices would be missing.
        if known is not None and set(self._wanted) <= set(known.pools):
            _log.warning("until the registry answers, the %d devices known last are let in", len(known.devices))
            self._remembered, self.pools = known, known.pools

    async def count(self, lend: Callable[[Sequence[Pool]], Awaitable[None]]) -> None:
        """Look at the pools now and then, until cancelled. `lend` is told of others than before, until it takes them."""
        told = self.pools
        while True:
            with suppress(RegistryError):
                self.lent = await self._registry.lent()
                self.pools = await self._registry.pools() or self.pools
            if self.pools != told:
                await lend(self.pools)
                told = self.pools
            await asyncio.sleep(COUNT_EVERY)

    async def tidy(self) -> None:
        """Free what has rested and forget what is old, until cancelled."""
        lagging = LaggingClock(self._clock, time.monotonic)
        while True:
            await asyncio.sleep(TIDY_EVERY)
            now = lagging.now()
            with suppress(RegistryError):
                freed = await self._registry.sweep(now=now, keep=self._keep)
                if freed:
                    _log.info("%d addresses are free again", freed)
