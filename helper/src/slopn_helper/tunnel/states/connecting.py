"""Connecting: a tunnel is wanted and not up. Resolve, start the engine, shake hands, configure the host; or wait.

A tunnel that had been up keeps its interface, routes and DNS here, so that nothing goes out beside it even without a
kill switch, and open sockets survive; every effect on the way up is idempotent.
"""

from __future__ import annotations

import msgspec

from slopn_helper.tunnel.backoff import delay
from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.effects import ApplyFirewall, ConfigureHost, Effect, ResolveEndpoints, SetTimer, StartEngine
from slopn_helper.tunnel.inputs import (
    Connect,
    EffectFailed,
    EngineDown,
    EngineStarted,
    HandshakeDone,
    HandshakeStale,
    HostConfigured,
    Input,
    NetworkChanged,
    Pause,
    ProtectionChanged,
    Resolved,
    TimerFired,
)
from slopn_helper.tunnel.policy import failing, unprotected
from slopn_helper.tunnel.states import Next, disconnecting, error
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.profile import Endpoint
from slopn_wire.state import AfterDisconnect, Connected, Connecting, ErrorCause, Step

RESOLVE_WITHIN = 15.0
HANDSHAKE_WITHIN = 10.0
PROTECT_WITHIN = 15.0
OFFLINE_AGAIN_AFTER = 30.0
"""Seconds. The last one: the monitor may be wrong about being offline, so a try is made all the same."""
_HANDSHAKE_DONE = frozenset({Step.CONFIGURING, Step.PROTECTING})


def enter(profile: str, *before: Effect, attempt: int = 0) -> Next:
    """From nothing: no interface, no endpoint known. `before` is done first."""
    return _resolve(Connecting(profile, attempt), before)


def resume(
    profile: str, endpoints: tuple[Endpoint, ...], interface: str | None, cause: ErrorCause, attempt: int = 1
) -> Next:
    """From a tunnel that was up and died of `cause`."""
    return _resolve(Connecting(profile, attempt, endpoints=endpoints, interface=interface, cause=cause))


def protect(state: Connected) -> Next:
    """From a tunnel whose key is gone: all is there, and nothing may pass until there is another."""
    cause = ErrorCause.UNPROTECTED
    waiting = Connecting(state.profile, 1, Step.PROTECTING, state.endpoints, state.interface, cause)
    return Next(waiting, (SetTimer(PROTECT_WITHIN),))


def offline(profile: str, endpoints: tuple[Endpoint, ...], interface: str | None, attempt: int = 0) -> Next:
    """The network is gone: wait for it."""
    state = Connecting(profile, attempt, Step.WAITING, endpoints, interface, ErrorCause.OFFLINE)
    return Next(state, (SetTimer(OFFLINE_AGAIN_AFTER),))


def handle(state: Connecting, inp: Input, ctx: Context) -> Next:
    """One step up, one attempt back, or out."""
    match inp:
        case Disconnect():
            return disconnecting.enter(state.profile, AfterDisconnect.NOTHING)
        case Reconnect():
            return disconnecting.enter(state.profile, AfterDisconnect.RECONNECT)
        case Pause(profile=profile):
            return disconnecting.enter(profile, AfterDisconnect.PAUSE)
        case Connect(profile=profile) if profile != state.profile:
            return disconnecting.enter(profile, AfterDisconnect.RECONNECT)
        case Connect() if state.step is Step.WAITING:
            return _resolve(msgspec.structs.replace(state, attempt=0))
        case EffectFailed():
            return _failed(state, inp, ctx)
        case EngineDown():
            return _wait(msgspec.structs.replace(state, interface=None), ErrorCause.ENGINE, ctx)
        case NetworkChanged(online=False):
            return offline(state.profile, state.endpoints, state.interface, state.attempt)
        case NetworkChanged() if state.step is not Step.CONFIGURING:
            known = None if state.cause is ErrorCause.OFFLINE else state.cause
            return _resolve(msgspec.structs.replace(state, attempt=0, cause=known))
        case HandshakeDone() if state.interface is not None and state.step not in _HANDSHAKE_DONE:
            configuring = msgspec.structs.replace(state, step=Step.CONFIGURING)
            return Next(configuring, (SetTimer(None), ConfigureHost(state.profile, state.interface)))
        case _:
            return _by_step(state, inp, ctx)


def _by_step(state: Connecting, inp: Input, ctx: Context) -> Next:
    match state.step, inp:
        case Step.RESOLVING, Resolved(peers=peers):
            handshake = msgspec.structs.replace(state, step=Step.HANDSHAKE, endpoints=_flat(peers))
            return Next(handshake, (SetTimer(HANDSHAKE_WITHIN), StartEngine(state.profile, peers)))
        case Step.RESOLVING, TimerFired():
            return _wait(state, ErrorCause.RESOLVE, ctx)
        case Step.HANDSHAKE, EngineStarted(interface=interface):
            return Next(msgspec.structs.replace(state, interface=interface))
        case Step.HANDSHAKE, TimerFired():
            return _wait(state, ErrorCause.HANDSHAKE, ctx)
        case Step.CONFIGURING, HostConfigured() if unprotected(state, ctx):
            return Next(msgspec.structs.replace(state, step=Step.PROTECTING), (SetTimer(PROTECT_WITHIN),))
        case Step.CONFIGURING, HostConfigured() if state.interface is not None:
            return Next(Connected(state.profile, state.endpoints, state.interface))
        case Step.PROTECTING, ProtectionChanged() if state.interface is not None and not unprotected(state, ctx):
            return Next(Connected(state.profile, state.endpoints, state.interface), (SetTimer(None),))
        case Step.PROTECTING, TimerFired():
            return _wait(state, ErrorCause.UNPROTECTED, ctx)
        case Step.CONFIGURING | Step.PROTECTING, HandshakeStale():
            return _wait(state, ErrorCause.STALE, ctx)
        case Step.WAITING, TimerFired():
            return _resolve(state)
        case _:
            return Next(state)


def _failed(state: Connecting, failure: EffectFailed, ctx: Context) -> Next:
    match failure.effect:
        case ApplyFirewall():
            return error.enter(ErrorCause.FIREWALL, state.profile, state.attempt, ctx)
        case ResolveEndpoints() if failure.cause is None:
            if state.step is not Step.RESOLVING:
                return Next(state)
            return _wait(state, ErrorCause.RESOLVE, ctx)
        case _:
            return disconnecting.after_failure(state.profile, failure, state.attempt)


def _resolve(state: Connecting, before: tuple[Effect, ...] = ()) -> Next:
    resolving = msgspec.structs.replace(state, step=Step.RESOLVING)
    resolve = ResolveEndpoints(state.profile, failing=failing(state))
    return Next(resolving, (*before, SetTimer(RESOLVE_WITHIN), resolve))


def _flat(peers: tuple[tuple[Endpoint, ...], ...]) -> tuple[Endpoint, ...]:
    """The first address of each peer, then all others."""
    firsts = tuple(addresses[0] for addresses in peers)
    return tuple(dict.fromkeys((*firsts, *(address for addresses in peers for address in addresses[1:]))))


def _wait(state: Connecting, cause: ErrorCause, ctx: Context) -> Next:
    if state.cause is ErrorCause.OFFLINE:
        # A try that was made all the same: there is still no network, and nothing was to be expected of it.
        return offline(state.profile, state.endpoints, state.interface, state.attempt)
    attempt = state.attempt + 1
    waiting = msgspec.structs.replace(state, step=Step.WAITING, attempt=attempt, cause=cause)
    return Next(waiting, (SetTimer(delay(attempt, ctx.jitter)),))
