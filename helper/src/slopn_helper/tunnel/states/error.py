"""Error: no tunnel is possible now. Blocks as far as the firewall lets us; tried again from time to time."""

from __future__ import annotations

from slopn_helper.tunnel.backoff import delay
from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.effects import SetTimer
from slopn_helper.tunnel.inputs import Connect, EffectFailed, Input, NetworkChanged, Pause, SettingsApplied, TimerFired
from slopn_helper.tunnel.states import Next, connecting, disconnecting
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.state import AfterDisconnect, ErrorCause, ErrorState

UNTIL_THE_USER_ACTS = frozenset({ErrorCause.BAD_PROFILE})
"""Causes that no retry mends."""


def enter(cause: ErrorCause, profile: str, attempt: int, ctx: Context) -> Next:
    """After `attempt` failed attempts. What is configured stays: it may be all that keeps traffic in."""
    return Next(ErrorState(cause, profile, attempt=attempt), (_timer(cause, attempt, ctx),))


def handle(state: ErrorState, inp: Input, ctx: Context) -> Next:
    """Try again when there is a reason to hope; leave when the user says so."""
    match inp:
        case Disconnect():
            return disconnecting.enter(state.profile, AfterDisconnect.NOTHING)
        case Reconnect():
            return disconnecting.enter(state.profile, AfterDisconnect.RECONNECT)
        case Pause(profile=profile):
            return disconnecting.enter(profile, AfterDisconnect.PAUSE)
        case Connect(profile=profile):
            return disconnecting.enter(profile, AfterDisconnect.RECONNECT)
        case TimerFired():
            return connecting.enter(state.profile, attempt=state.attempt + 1)
        case NetworkChanged(online=True) if state.cause not in UNTIL_THE_USER_ACTS:
            return connecting.enter(state.profile)
        case SettingsApplied(host=host) if host or state.cause is ErrorCause.FIREWALL:
            return connecting.enter(state.profile)
        case EffectFailed():
            return Next(state, (_timer(state.cause, state.attempt, ctx),))
        case _:
            return Next(state)


def _timer(cause: ErrorCause, attempt: int, ctx: Context) -> SetTimer:
    return SetTimer(None if cause in UNTIL_THE_USER_ACTS else delay(attempt + 1, ctx.jitter))
