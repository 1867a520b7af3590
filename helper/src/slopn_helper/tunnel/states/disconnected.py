"""Disconnected: no tunnel, none wanted, or none for now. The only state in which an open host is legal with the switch on."""

from __future__ import annotations

from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.effects import ApplyFirewall, Effect, RestoreHost, SetTimer, StopEngine
from slopn_helper.tunnel.inputs import Connect, EffectFailed, Input, NetworkChanged, Pause, Started, TimerFired
from slopn_helper.tunnel.states import Next, connecting
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.state import Disconnected

REFUSED_AGAIN_AFTER = 5.0
"""Seconds until a refused policy is tried once more."""
_CLEAN: tuple[Effect, ...] = (RestoreHost(), StopEngine())


def enter() -> Next:
    """Everything is undone."""
    return Next(Disconnected(), (SetTimer(None),))


def pause(profile: str, ctx: Context, *after: Effect) -> Next:
    """Everything is undone, or will be by `after`; `profile` is wanted again when the pause is over."""
    return Next(Disconnected(resume=profile), (SetTimer(ctx.pause_left), *after))


def handle(state: Disconnected, inp: Input, ctx: Context) -> Next:
    """Wait for a wish. A refused firewall is tried again when the timer fires: `step` sees that it isn't in force."""
    match inp:
        case Connect(profile=profile):
            return connecting.enter(profile)
        case Pause(profile=profile):
            return pause(profile, ctx)
        case Started(profile=str() as profile, paused=False):
            return connecting.enter(profile, RestoreHost())
        case Started(profile=str() as profile):
            return pause(profile, ctx, *_CLEAN)
        case Disconnect() if state.resume is not None:
            return Next(Disconnected(), (SetTimer(None), *_CLEAN))
        case Started() | Disconnect():
            # Asked again: what a failed teardown or a killed helper left behind gets another chance.
            return Next(state, _CLEAN)
        case _ if state.resume is not None:
            return _paused(state, state.resume, inp, ctx)
        case EffectFailed(effect=ApplyFirewall()):
            return Next(state, (SetTimer(REFUSED_AGAIN_AFTER),))
        case _:
            return Next(state)


def _paused(state: Disconnected, profile: str, inp: Input, ctx: Context) -> Next:
    """A pause may only end sooner than meant, never later: whatever goes wrong with it ends it."""
    match inp:
        case Reconnect() | EffectFailed(effect=SetTimer()):
            return connecting.enter(profile)
        case EffectFailed(effect=ApplyFirewall()):
            return Next(state, (SetTimer(min(REFUSED_AGAIN_AFTER, ctx.pause_left)),))
        case TimerFired() | NetworkChanged():
            # The network also changes when the computer wakes up, perhaps long after the pause was over.
            return connecting.enter(profile) if ctx.pause_left <= 0 else Next(state, (SetTimer(ctx.pause_left),))
        case _:
            return Next(state)
