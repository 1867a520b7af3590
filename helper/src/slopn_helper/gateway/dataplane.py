"""Keeps the engine at exactly what the registry says: who is out is out at once, by whatever hand, or by the clock."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from slopn_helper.engine import (
    Changing,
    Engine,
    EngineConfig,
    EngineDown,
    EngineError,
    EngineEvent,
    HandshakeDone,
    PeerConfig,
    Rekeying,
)
from slopn_helper.gateway.peers import Difference, Roster, Settled, difference
from slopn_helper.gateway.registry.errors import RegistryError, Unavailable
from slopn_helper.gateway.registry.feed import Update
from slopn_helper.gateway.status import Meter
from slopn_helper.host.routes import RouteError

LOOK_AT_CLOCK = 10.0
"""Seconds after which the clock is looked at again, since somebody may set it."""
AGAIN = 1.0
"""Seconds until what the engine refused is tried once more."""

_log = logging.getLogger(__name__)


class Plane(Engine, Changing, Rekeying, Protocol):
    """The engine as a gateway needs it."""


class Settle(Protocol):
    """`Registry.settle`."""

    async def __call__(self, device: str, key: bytes) -> object:
        """See there."""


class Dataplane:
    """Engine and roster. `roster` may be read by others at any time; it is changed here alone."""

    def __init__(
        self,
        engine: Plane,
        config: EngineConfig,
        settle: Settle,
        *,
        meter: Meter,
        clock: Callable[[], float],
        made: Callable[[], Awaitable[None]],
        tell: Callable[[EngineEvent], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        """`config`: without peers. `clock`: Unix time. `made`: the interface is there, anew, and nobody is let in yet.

        `tell`: each of the engine's events. `changed`: other peers are in force.
        """
        self.roster = Roster()
        self.trouble: str | None = "The engine isn't started yet."
        """Why devices aren't let in; None: they are."""
        self._engine = engine
        self._config = config
        self._settle = settle
        self._meter = meter
        self._clock = clock
        self._made = made
        self._tell = tell
        self._changed = changed
        self._in_force: dict[bytes, PeerConfig] = {}
        self._look = False
        """Whether to look at the engine's peers, too: somebody may have changed them with `wg`."""
        self.down = True
        """The engine is to be started first."""
        self._due = asyncio.Event()
        self._filled = asyncio.Event()
        self._to_settle = asyncio.Event()
        self._heard_at: float | None = None
        self._unsettled: set[Settled] = set()

    async def start(self) -> None:
        """Make the interface, with nobody let in. Raises `EngineError`, and whatever `made` raises."""
        self._in_force = {}
        self.down = False
        try:
            await self._engine.apply(self._config)
            await self._made()
        except BaseException:
            self.down = True
            raise
        self.trouble = None

    async def filled(self) -> None:
        """Return when what the registry told first is in force."""
        await self._filled.wait()

    async def follow(self, updates: AsyncIterator[Update]) -> None:
        """Take what the registry tells, until cancelled."""
        async for update in updates:
            if update.whole:
                self.roster.replace(update.devices)
                self._look = True
            else:
                self.roster.put(update.devices)
                self.roster.forget(update.gone)
            if self._heard_at is None:
                self._heard_at = time.monotonic()
            self._due.set()

    async def run(self) -> None:
        """Keep the engine at the roster, until cancelled."""
        while True:
            self._due.clear()
            wait = AGAIN
            try:
                await self._put()
                self.trouble = None
                wait = self._until_expiry()
            except (EngineError, RouteError, OSError) as error:
                self.complain(str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._due.wait()

    async def listen(self) -> None:
        """Take what the engine tells, until cancelled."""
        async for event in self._engine.events():
            match event:
                case HandshakeDone(public_key=key, rtt=rtt):
                    self._meter.handshake(rtt)
                    if (settled := self.roster.handshake(key)) is not None:
                        # Here at once, in the registry as soon as that can be: the device sends with this key already.
                        self._due.set()
                        self._unsettled.add(settled)
                        self._to_settle.set()
                case EngineDown(reason=reason) if reason is not None:
                    self.complain(f"The engine has ended: {reason}.")
                    self.down = True
                    self._due.set()
                case _:
                    pass
            await self._tell(event)

    async def settle(self) -> None:
        """Tell the registry which keys devices have come with, until cancelled."""
        while True:
            await self._to_settle.wait()
            self._to_settle.clear()
            for each in tuple(self._unsettled):
                try:
                    await self._settle(each.device, each.key)
                except Unavailable:
                    self._to_settle.set()
                    continue
                except RegistryError as error:
                    _log.info("a key that was changed: %s", error)
                self._unsettled.discard(each)
            if self._to_settle.is_set():
                await asyncio.sleep(AGAIN)

    async def stop(self) -> None:
        """Let nobody in any more; the interface goes."""
        await self._engine.apply(None)

    def complain(self, why: str) -> None:
        """Devices aren't let in, for this reason; said once."""
        if why != self.trouble:
            _log.error("%s", why)
        self.trouble = why

    async def _put(self) -> None:
        if self.down:
            await self.start()
        have = self._seen() if self._look else self._in_force
        self._look = False
        heard, self._heard_at = self._heard_at, None
        want = self.roster.peers(self._clock())
        change = difference(have, want)
        if change:
            await self._change(have, change)
            self._in_force = want
            self._changed()
        if heard is not None:
            self._meter.put_in_force(time.monotonic() - heard)
            self._filled.set()

    def _seen(self) -> dict[bytes, PeerConfig]:
        """What is in force, as far as the engine still has it, and peers that nobody of us has added."""
        there = {peer.public_key for peer in self._engine.counters().peers}
        strangers = there - self._in_force.keys()
        if strangers or len(there) < len(self._in_force):
            _log.warning("somebody else has changed the engine's peers: they are put right")
        have = {key: peer for key, peer in self._in_force.items() if key in there}
        return have | {key: PeerConfig(key, ()) for key in strangers}

    async def _change(self, have: dict[bytes, PeerConfig], change: Difference) -> None:
        try:
            await self._engine.change_peers(remove=change.remove, put=change.put)
        except EngineError as error:
            # One peer that the engine doesn't take, by a restored registry's fault, keeps nobody else in or out.
            await self._engine.change_peers(remove=change.remove)
            for peer in change.put:
                try:
                    await self._engine.change_peers(put=[peer])
                except EngineError as refused:
                    if peer.public_key in have:
                        await self._engine.change_peers(remove=[peer.public_key])
                    _log.error("a device isn't let in: %s (%s)", refused, error)

    def _until_expiry(self) -> float:
        now = self._clock()
        expiry = self.roster.next_expiry(now)
        return LOOK_AT_CLOCK if expiry is None else min(LOOK_AT_CLOCK, max(0.0, expiry - now))
