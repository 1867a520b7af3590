"""A host that does what the core asks, on paper: which policy is in force, whether the engine runs, what is configured.

Every effect can be made to fail. `explore` walks all that can happen from a fresh start, each effect of each step failing
once in its turn, and yields every resting place with how it was reached.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import product

import msgspec

from slopn_helper.host.firewall.policy import FirewallPolicy, Open
from slopn_helper.tunnel.context import Context, ProfileFacts
from slopn_helper.tunnel.effects import (
    ApplyFirewall,
    ConfigureHost,
    Effect,
    ResolveEndpoints,
    RestoreHost,
    SetTimer,
    StartEngine,
    StopEngine,
)
from slopn_helper.tunnel.inputs import (
    Connect,
    Drifted,
    EffectFailed,
    EngineDown,
    EngineStarted,
    EngineStopped,
    ErrandChanged,
    HandshakeDone,
    HandshakeStale,
    HostConfigured,
    Input,
    NetworkChanged,
    Part,
    Pause,
    ProtectionChanged,
    Resolved,
    SettingsApplied,
    Started,
    Stopping,
    TimerFired,
)
from slopn_helper.tunnel.machine import step
from slopn_helper.tunnel.policy import demands, policy_for
from slopn_helper.tunnel.states import Next
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.profile import Endpoint
from slopn_wire.settings import Settings
from slopn_wire.state import Connecting, Disconnected, ErrorCause, ErrorState, TunnelState

ENDPOINTS = (Endpoint("192.0.2.1", 51820),)
FACTS = {
    "a": ProfileFacts((ip_address("10.9.0.2"),), (ip_address("10.9.0.1"),)),
    "b": ProfileFacts((ip_address("10.8.0.2"),)),
    "q": ProfileFacts((ip_address("10.7.0.2"),), demands=(ip_address("10.7.0.1"),)),
}
"""`q` demands a post-quantum key."""
RESOLVERS = (ip_address("192.0.2.53"),)
MOST_ATTEMPTS = 1
PAUSE_LEFT = (60.0, 0.0)
"""Both ways that the clock can stand when something happens."""
SETTLED: tuple[Input, ...] = (
    Connect("a"),
    Connect("b"),
    Connect("q"),
    Disconnect(),
    Reconnect(),
    Pause("a"),
    Resolved((ENDPOINTS,)),
    HandshakeDone(),
    HandshakeStale(),
    EngineDown("gone"),
    NetworkChanged(online=True),
    NetworkChanged(online=False),
    Drifted(Part.FIREWALL),
    Drifted(Part.HOST),
    TimerFired(),
    SettingsApplied(),
    SettingsApplied(host=True),
    ProtectionChanged(),
    ErrandChanged(),
    Stopping(),
    EffectFailed(ResolveEndpoints("a")),
    EffectFailed(ResolveEndpoints("a"), cause=ErrorCause.BAD_PROFILE),
)


class World(msgspec.Struct, frozen=True):
    """Everything that matters at one moment. Hashable, so that a set of them is the list of places been to."""

    state: TunnelState = Disconnected()
    in_force: FirewallPolicy | None = None
    engine: bool = False
    configured: bool = False
    timer: bool = False
    protected: bool = False
    """Whether the session has a key of the post-quantum protocol."""
    pending: tuple[Input, ...] = ()
    """Inputs that the last effects caused and that are handled before any other."""

    @property
    def resting(self) -> bool:
        """Nothing goes on by itself from here, but timers and the world outside."""
        return not self.pending


class Ran(msgspec.Struct, frozen=True):
    """One effect as it was carried out."""

    effect: Effect
    in_force: FirewallPolicy | None
    """The policy while it ran."""
    failed: bool


class Move(msgspec.Struct, frozen=True):
    """From one moment to the next."""

    before: World
    inp: Input
    ran: tuple[Ran, ...]
    after: World
    pause_left: float = 0.0


def context(in_force: FirewallPolicy | None, pause_left: float = 0.0, *, protected: bool = False) -> Context:
    """What the core sees of this world."""
    return Context(FACTS, RESOLVERS, in_force, pause_left=pause_left, protected=protected)


def wanted(world: World, settings: Settings) -> FirewallPolicy:
    """The policy that the world's state demands."""
    return policy_for(world.state, settings, context(world.in_force, protected=world.protected))


def advance(world: World, inp: Input, settings: Settings, pause_left: float = 0.0) -> Move:
    """Handle `inp`; every effect succeeds."""
    world = world if world.pending else _happens(world, inp)
    nxt = step(world.state, inp, settings, context(world.in_force, pause_left, protected=world.protected))
    return _carry_out(world, inp, nxt, None, pause_left)


def _carry_out(world: World, inp: Input, nxt: Next, fail_at: int | None, pause_left: float = 0.0) -> Move:
    """Do what `nxt` asks for; the effect number `fail_at` fails and those after it are not begun."""
    now = msgspec.structs.replace(world, state=nxt.state, pending=world.pending[1:] if world.pending else ())
    ran = []
    for number, effect in enumerate(nxt.effects):
        failed = number == fail_at
        ran.append(Ran(effect, now.in_force, failed))
        if failed:
            spoilt = msgspec.structs.replace(now, configured=now.configured or isinstance(effect, ConfigureHost))
            now = msgspec.structs.replace(spoilt, pending=(*spoilt.pending, EffectFailed(effect)))
            break
        now = _do(now, effect)
    return Move(world, inp, tuple(ran), now, pause_left)


def _do(world: World, effect: Effect) -> World:
    match effect:
        case ApplyFirewall(policy=policy):
            return msgspec.structs.replace(world, in_force=policy)
        case StartEngine():
            up = msgspec.structs.replace(world, engine=True)
            return msgspec.structs.replace(up, pending=(*up.pending, EngineStarted("slopn0")))
        case StopEngine():
            down = msgspec.structs.replace(world, engine=False, protected=False)
            return msgspec.structs.replace(down, pending=(*down.pending, EngineStopped()))
        case ConfigureHost():
            done = msgspec.structs.replace(world, configured=True)
            return msgspec.structs.replace(done, pending=(*done.pending, HostConfigured()))
        case RestoreHost():
            return msgspec.structs.replace(world, configured=False)
        case SetTimer(after=after):
            return msgspec.structs.replace(world, timer=after is not None)
        case ResolveEndpoints():
            return world


def settle(world: World, settings: Settings, *inputs: Input, pause_left: float = 0.0) -> World:
    """Give `inputs` one after the other, everything succeeding, each until the world rests; protection comes, never goes."""
    for inp in inputs:
        if isinstance(inp, ProtectionChanged):
            world = msgspec.structs.replace(world, protected=world.engine)
        world = advance(world, inp, settings, pause_left).after
        while world.pending:
            world = advance(world, world.pending[0], settings, pause_left).after
    return world


def _happens(world: World, inp: Input) -> World:
    """The world's own part of an input: an engine that is down does not run, a timer that fired is gone."""
    if isinstance(inp, EngineDown):
        return msgspec.structs.replace(world, engine=False, protected=False)
    if isinstance(inp, Drifted) and inp.part is Part.FIREWALL:
        return msgspec.structs.replace(world, in_force=None)
    if isinstance(inp, TimerFired):
        return msgspec.structs.replace(world, timer=False)
    return world


def starts() -> Iterator[World]:
    """A helper's first moments: on a clean host, or on one that a killed helper left as it was."""
    for profile in (None, "a"):
        for left in (False, True):
            yield World(configured=left, pending=(Started(profile),))
    for left in (False, True):
        yield World(configured=left, pending=(Started("a", paused=True),))


def explore(settings: Settings, *, after_others: Iterable[World] = ()) -> Iterator[Move]:
    """Every move that can happen under `settings`, from every start.

    `after_others`: places of rest under other settings, from which a change leads here.
    """
    todo = deque(starts())
    todo.extend(msgspec.structs.replace(world, pending=(SettingsApplied(),)) for world in after_others)
    seen = set(todo)
    while todo:
        world = todo.popleft()
        for inp in world.pending[:1] or SETTLED:
            now = world if world.pending else _happens(world, inp)
            for before, pause_left in product(_protections(now, inp), PAUSE_LEFT):
                facts = context(before.in_force, pause_left, protected=before.protected)
                nxt = step(before.state, inp, settings, facts)
                for fail_at in (None, *range(len(nxt.effects))):
                    move = _carry_out(before, inp, nxt, fail_at, pause_left)
                    yield move
                    if move.after not in seen and _worth_following(move.after):
                        seen.add(move.after)
                        todo.append(move.after)


def _protections(world: World, inp: Input) -> tuple[World, ...]:
    """Both ways that the session's key can be, with an engine, when it may have become another and the profile cares."""
    if not isinstance(inp, ProtectionChanged) or not demands(world.state, context(None)):
        return (world,)
    return tuple(msgspec.structs.replace(world, protected=now) for now in {False, world.engine})


def _worth_following(world: World) -> bool:
    if isinstance(world.state, Connecting | ErrorState):
        return world.state.attempt <= MOST_ATTEMPTS
    return True


__all__ = ["Move", "Open", "Ran", "World", "advance", "context", "explore", "settle", "wanted"]
