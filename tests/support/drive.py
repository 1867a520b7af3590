"""A tunnel driver on a host that only notes what it is told to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.driver import Position, TunnelDriver
from slopn_helper.tunnel.effects import ConfigureHost, Effect, ResolveEndpoints, StartEngine, StopEngine
from slopn_helper.tunnel.inputs import (
    Connect,
    Drifted,
    EngineStarted,
    EngineStopped,
    HandshakeDone,
    HostConfigured,
    Input,
)
from slopn_wire.profile import Endpoint
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connected, Connecting, Step
from support.playbook import ENDPOINT, FACTS
from support.until import until_async


class Host:
    """An `EffectRunner` that notes effects, and fails those whose type is in `refuse`."""

    def __init__(self) -> None:
        self.done: list[Effect] = []
        self.refuse: dict[type[Effect], Exception] = {}
        self.answer: Callable[[], Awaitable[tuple[tuple[Endpoint, ...], ...]]] = self._at_once
        self.hang: type[Effect] | None = None
        self.changed: tuple[Drifted, ...] = ()
        self.looked_at_host: list[bool] = []
        """For each look for drift, whether routes and DNS were looked at."""
        self.blind: Exception | None = None
        """What a look for drift raises."""

    async def run(self, effect: Effect) -> Input | None:
        """As the interface."""
        if type(effect) in self.refuse:
            raise self.refuse[type(effect)]
        if type(effect) is self.hang:
            await asyncio.Event().wait()
        self.done.append(effect)
        follows: dict[type, Input] = {
            StartEngine: EngineStarted("slopn0"),
            ConfigureHost: HostConfigured(),
            StopEngine: EngineStopped(),
        }
        return follows.get(type(effect))

    async def resolve(self, effect: ResolveEndpoints) -> tuple[tuple[Endpoint, ...], ...]:
        """As the interface."""
        assert effect.profile in FACTS
        return await self.answer()

    async def drift(self, *, host: bool) -> tuple[Drifted, ...]:
        """What the test says, once."""
        self.looked_at_host.append(host)
        found, self.changed = self.changed, ()
        if self.blind is not None:
            raise self.blind
        return found

    def context(self) -> Context:
        """As the interface; no jitter, so that back-off is as short as it can be."""
        return Context(FACTS, jitter=0.0)

    async def _at_once(self) -> tuple[tuple[Endpoint, ...], ...]:
        return ((ENDPOINT,),)


class Drive:
    """A running driver and what it has published."""

    def __init__(self, mode: KillSwitchMode = KillSwitchMode.ON) -> None:
        self.host = Host()
        self.positions: list[Position] = []
        self.driver = TunnelDriver(self.host, self.positions.append, Settings(kill_switch=mode))

    @property
    def last(self) -> Position:
        """Where it stands."""
        return self.positions[-1]

    async def reaches(self, kind: type, *, step: Step | None = None) -> None:
        """Wait for a state."""

        def there() -> bool:
            state = self.positions[-1].state if self.positions else None
            return isinstance(state, kind) and (step is None or getattr(state, "step", None) is step)

        await until_async(there, 10, f"{kind.__name__} {step or ''}, at {self.positions[-1:]}")

    async def connect(self) -> None:
        """All the way up."""
        self.driver.post(Connect("a"))
        await self.reaches(Connecting, step=Step.HANDSHAKE)
        self.driver.post(HandshakeDone())
        await self.reaches(Connected)


@asynccontextmanager
async def driving(mode: KillSwitchMode = KillSwitchMode.ON) -> AsyncIterator[Drive]:
    """A driver that runs while entered."""
    drive = Drive(mode)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(drive.driver.run())
        yield drive
        task.cancel()
