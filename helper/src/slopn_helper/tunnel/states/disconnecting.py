"""Disconnecting: the tunnel is being taken down; the block stays until all is undone."""

from __future__ import annotations

import msgspec

from slopn_helper.tunnel.context import Context
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
from slopn_helper.tunnel.inputs import Connect, EffectFailed, EngineStopped, Input, Pause, TimerFired
from slopn_helper.tunnel.states import Next, connecting, disconnected, error
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.state import AfterDisconnect, Disconnecting, ErrorCause

TRIES = 3
AGAIN_AFTER = 1.0
"""Seconds between tries of a teardown."""
_TEARDOWN: tuple[Effect, ...] = (RestoreHost(), StopEngine())


def enter(profile: str, then: AfterDisconnect) -> Next:
    """Because the user wants it. `profile`: the one to connect to afterwards, or the one that ends."""
    return Next(Disconnecting(profile, then), (SetTimer(None), *_TEARDOWN))


def at_the_end(profile: str) -> Next:
    """Because the helper ends. In `ErrorState` afterwards, so that what was closed stays closed."""
    state = Disconnecting(profile, AfterDisconnect.BLOCK, cause=ErrorCause.STOPPED)
    return Next(state, (SetTimer(None), *_TEARDOWN))


def no_further(state: Disconnecting) -> Next:
    """The helper ends in the middle of a teardown: what should have come after it comes with the next start."""
    if state.then is not AfterDisconnect.RECONNECT:
        return Next(state)
    return Next(msgspec.structs.replace(state, then=AfterDisconnect.BLOCK, cause=ErrorCause.STOPPED))


def after_failure(profile: str, failure: EffectFailed, attempt: int) -> Next:
    """Because an effect failed: undo what was done of it, then stand in `ErrorState`."""
    cause = failure.cause or _meaning(failure.effect)
    state = Disconnecting(profile, AfterDisconnect.BLOCK, cause=cause, retries=attempt)
    return Next(state, (SetTimer(None), *_TEARDOWN))


def handle(state: Disconnecting, inp: Input, ctx: Context) -> Next:
    """Go on until both halves of the teardown are done, or were tried often enough."""
    match inp:
        case Disconnect():
            return Next(Disconnecting(state.profile, AfterDisconnect.NOTHING, state.attempt))
        case Reconnect():
            return Next(Disconnecting(state.profile, AfterDisconnect.RECONNECT, state.attempt))
        case Connect(profile=profile):
            return Next(Disconnecting(profile, AfterDisconnect.RECONNECT, state.attempt))
        case Pause(profile=profile):
            return Next(Disconnecting(profile, AfterDisconnect.PAUSE, state.attempt))
        case EngineStopped():
            return _finish(state, ctx)
        case TimerFired():
            return Next(state, _TEARDOWN)
        case EffectFailed(effect=ApplyFirewall()):
            return Next(state, _TEARDOWN)
        case EffectFailed(effect=RestoreHost() | StopEngine() | SetTimer() as effect):
            return _again(state, effect, ctx)
        case _:
            return Next(state)


def _again(state: Disconnecting, effect: Effect, ctx: Context) -> Next:
    attempt = min(state.attempt + 1, TRIES)
    tried = msgspec.structs.replace(state, attempt=attempt)
    if isinstance(effect, SetTimer):
        return Next(tried, _TEARDOWN)
    if attempt < TRIES:
        return Next(tried, (SetTimer(AGAIN_AFTER),))
    if isinstance(effect, StopEngine):
        return _finish(tried, ctx)
    # What can't be undone stays in the journal and in the health list; the engine must end all the same.
    return Next(tried, (StopEngine(),))


def _finish(state: Disconnecting, ctx: Context) -> Next:
    match state.then:
        case AfterDisconnect.NOTHING:
            return disconnected.enter()
        case AfterDisconnect.RECONNECT:
            return connecting.enter(state.profile)
        case AfterDisconnect.PAUSE:
            return disconnected.pause(state.profile, ctx)
        case AfterDisconnect.BLOCK:
            return error.enter(state.cause or ErrorCause.ENGINE, state.profile, state.retries, ctx)


def _meaning(effect: Effect) -> ErrorCause:
    match effect:
        case ApplyFirewall():
            return ErrorCause.FIREWALL
        case ResolveEndpoints():
            return ErrorCause.RESOLVE
        case StartEngine():
            return ErrorCause.TUN_DEVICE
        case ConfigureHost():
            return ErrorCause.HOST
        case RestoreHost():
            return ErrorCause.RESTORE
        case StopEngine() | SetTimer():
            return ErrorCause.ENGINE
