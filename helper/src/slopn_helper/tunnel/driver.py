"""The rim around the core: one task, one queue, the only writer of the tunnel's state."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec import Struct

from slopn_helper.host.firewall.policy import FirewallPolicy
from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.effects import ApplyFirewall, Effect, ResolveEndpoints, SetTimer
from slopn_helper.tunnel.inputs import (
    Drifted,
    EffectFailed,
    Input,
    Part,
    Resolved,
    SettingsApplied,
    Stopping,
    TimerFired,
)
from slopn_helper.tunnel.machine import step
from slopn_helper.tunnel.policy import policy_for
from slopn_helper.tunnel.telling import name, told
from slopn_wire.profile import Endpoint
from slopn_wire.settings import Settings
from slopn_wire.state import (
    Connected,
    Connecting,
    Disconnected,
    ErrorCause,
    ErrorState,
    Step,
    TunnelState,
)

EFFECT_WITHIN = 20.0
"""Seconds after which an effect that hangs counts as failed."""
LOOK_WITHIN = 5.0
"""Seconds for one look at what others may have changed."""
STOP_WITHIN = 15.0
"""Seconds for the teardown at the helper's end."""

_log = logging.getLogger(__name__)


class ProfileError(Exception):
    """The profile itself makes a tunnel impossible, and no retry mends it; the message says why."""

    cause = ErrorCause.BAD_PROFILE


class OverlapError(ProfileError):
    """The profile and the network that the host is on are in each other's way: it may do elsewhere."""

    cause = ErrorCause.OVERLAP


class EffectRunner(Protocol):
    """Carries effects out. Whatever it raises is a failure of that effect."""

    async def run(self, effect: Effect) -> Input | None:
        """Do `effect`, idempotently; returns what follows at once."""

    async def resolve(self, effect: ResolveEndpoints) -> tuple[tuple[Endpoint, ...], ...]:
        """See `inputs.Resolved.peers`."""

    def context(self) -> Context:
        """The facts of the world as they are now; the driver adds what is in force."""

    async def drift(self, *, host: bool) -> tuple[Drifted, ...]:
        """What isn't as the last effects left it: the firewall, and with `host` routes, addresses and DNS."""


Note = Callable[[TunnelState, Input, Settings, Context, TunnelState], None]
"""Called after each step: the state before, what went in, the state after."""


class Position(Struct, frozen=True):
    """Where the tunnel stands, once all effects of a step are done."""

    state: TunnelState
    in_force: FirewallPolicy | None
    wanted: FirewallPolicy
    next_try: float | None = None
    """Unix time of the next attempt to connect, if one is being waited for."""
    why: str = ""
    """What exactly failed last, of an attempt that failed or a tunnel that is impossible."""


class _Item(Struct, frozen=True):
    inp: Input | None
    """None: look for drift. Between two inputs, so that nothing is taken for somebody else's doing that is ours."""
    settings: Settings | None = None
    done: asyncio.Event | None = None
    """Set once the item is handled."""
    timer: int | None = None
    resolving: int | None = None


class TunnelDriver:
    """Feeds the core one input at a time, carries its effects out in order, reports each failure back to it.

    What an effect causes at once is handled before anything else in the queue; answers of a timer or a resolution
    that were replaced meanwhile are dropped.
    """

    def __init__(
        self,
        runner: EffectRunner,
        publish: Callable[[Position], None],
        settings: Settings,
        note: Note = lambda *_: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock`: Unix time, to tell people when the next attempt comes."""
        self._runner = runner
        self._note = note
        self._publish = publish
        self._settings = settings
        self._state: TunnelState = Disconnected()
        self._in_force: FirewallPolicy | None = None
        self._queue: asyncio.Queue[_Item] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_number = 0
        self._timer_ends: float | None = None
        self._clock = clock
        self._resolution: asyncio.Task[None] | None = None
        self._resolution_number = 0
        self._stopping = False
        self._stopped = asyncio.Event()
        self._looking = False
        self._why = ""

    def post(self, inp: Input, settings: Settings | None = None) -> asyncio.Event:
        """Hand over an input; never waits. The event is set once it was handled, after those before it."""
        done = asyncio.Event()
        self._queue.put_nowait(_Item(inp, settings, done))
        return done

    def apply_settings(self, settings: Settings) -> asyncio.Event:
        """Let `settings` hold from the next step on. The event is set once what they demand is in force, or was refused."""
        return self.post(SettingsApplied(), settings)

    def look(self) -> None:
        """Compare the host with what was applied, and put back what is different. At most one look waits at a time."""
        if not self._looking:
            self._looking = True
            self._queue.put_nowait(_Item(None))

    async def run(self) -> None:
        """Handle inputs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                item = await self._queue.get()
                if item.inp is None:
                    await self._look(tasks)
                elif self._is_current(item):
                    await self._handle(item.inp, item.settings, tasks)
                if item.done is not None:
                    item.done.set()
                self._stopping = self._stopping or isinstance(item.inp, Stopping)
                if self._stopping and isinstance(self._state, Disconnected | ErrorState):
                    self._stopped.set()

    async def stop(self) -> None:
        """Undo all but the block, in order; gives up after `STOP_WITHIN`: the journal has what is left."""
        self.post(Stopping())
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await self._stopped.wait()
        except TimeoutError:
            _log.error("the teardown took more than %d s; the next start goes on with it", STOP_WITHIN)

    def _is_current(self, item: _Item) -> bool:
        if item.timer is not None:
            return item.timer == self._timer_number
        if item.resolving is not None:
            return item.resolving == self._resolution_number
        return True

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        self._looking = False
        try:
            async with asyncio.timeout(LOOK_WITHIN):
                # Elsewhere nothing of the host's is put back: there may be no interface to have it, or all is being undone.
                found = await self._runner.drift(host=isinstance(self._state, Connected))
        except Exception as error:  # noqa: BLE001 - a look that fails changes nothing, and is taken again
            _log.warning("whether the host is as we left it can't be told: %s", str(error) or type(error).__name__)
            return
        for drifted in found:
            _log.warning("%s; putting it back", drifted.what)
            await self._handle(drifted, None, tasks)

    async def _handle(self, inp: Input, settings: Settings | None, tasks: asyncio.TaskGroup) -> None:
        if settings is not None:
            if isinstance(inp, SettingsApplied):
                inp = SettingsApplied(host=_of_host(settings) != _of_host(self._settings))
            self._settings = settings
        pending = deque([inp])
        while pending:
            before = self._state
            inp = pending.popleft()
            if isinstance(inp, Drifted) and inp.part is Part.FIREWALL:
                # If it can't be put back, nobody may claim that it still blocks.
                self._in_force = None
            context = msgspec.structs.replace(self._runner.context(), in_force=self._in_force)
            nxt = step(self._state, inp, self._settings, context)
            _log.debug("%s: %s", inp, ", ".join(map(name, nxt.effects)) or "nothing to do")
            self._state = nxt.state
            if isinstance(inp, EffectFailed):
                self._why = inp.detail
            elif getattr(nxt.state, "cause", None) != getattr(before, "cause", None):
                self._why = ""
            self._note(before, inp, self._settings, context, nxt.state)
            if (now := told(nxt.state)) != told(before):
                _log.info("%s", now)
            if not (isinstance(self._state, Connecting) and self._state.step is Step.RESOLVING):
                self._stop_resolving()
            follow = await self._carry_out(nxt.effects, tasks)
            if follow is not None:
                pending.append(follow)
        wanted = policy_for(self._state, self._settings, self._runner.context())
        next_try = self._timer_ends if _waits(self._state) else None
        self._publish(Position(self._state, self._in_force, wanted, next_try, self._why))

    async def _carry_out(self, effects: tuple[Effect, ...], tasks: asyncio.TaskGroup) -> Input | None:
        """Do `effects` in order until one fails. No list of the core's has two that something follows from."""
        follow: Input | None = None
        for effect in effects:
            try:
                follow = await self._do(effect, tasks) or follow
            except Exception as error:  # noqa: BLE001 - every failure of an effect is an input of the core
                return _failure(effect, error)
            if isinstance(effect, ApplyFirewall):
                self._in_force = effect.policy
        return follow

    async def _do(self, effect: Effect, tasks: asyncio.TaskGroup) -> Input | None:
        match effect:
            case SetTimer(after=after):
                self._set_timer(after)
            case ResolveEndpoints():
                self._resolve(effect, tasks)
            case _:
                async with asyncio.timeout(EFFECT_WITHIN):
                    return await self._runner.run(effect)
        return None

    def _set_timer(self, after: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_number += 1
        self._timer_ends = None if after is None else self._clock() + after
        if after is not None:
            item = _Item(TimerFired(), timer=self._timer_number)
            self._timer = asyncio.get_running_loop().call_later(after, self._queue.put_nowait, item)

    def _resolve(self, effect: ResolveEndpoints, tasks: asyncio.TaskGroup) -> None:
        self._stop_resolving()
        self._resolution = tasks.create_task(self._resolved(effect, self._resolution_number))

    def _stop_resolving(self) -> None:
        self._resolution_number += 1
        if self._resolution is not None:
            self._resolution.cancel()
            self._resolution = None

    async def _resolved(self, effect: ResolveEndpoints, number: int) -> None:
        inp: Input
        try:
            inp = Resolved(await self._runner.resolve(effect))
        except Exception as error:  # noqa: BLE001 - as in _carry_out
            inp = _failure(effect, error)
        self._queue.put_nowait(_Item(inp, resolving=number))


def _of_host(settings: Settings) -> tuple[object, ...]:
    """What of the settings decides about routes and DNS."""
    return settings.exclude, settings.include, settings.dns_mechanism


def _waits(state: TunnelState) -> bool:
    """Whether the timer that runs is that of the next attempt."""
    return isinstance(state, ErrorState) or (isinstance(state, Connecting) and state.step is Step.WAITING)


def _failure(effect: Effect, error: Exception) -> EffectFailed:
    detail = str(error) or type(error).__name__
    _log.warning("%s failed: %s", type(effect).__name__, detail)
    cause = error.cause if isinstance(error, ProfileError) else None
    return EffectFailed(effect, detail, cause)
