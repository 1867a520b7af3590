"""States and effects in the words of the log. Pure."""

from __future__ import annotations

from typing import assert_never

from slopn_helper.tunnel.effects import ApplyFirewall, Effect
from slopn_wire.state import (
    AfterDisconnect,
    Connected,
    Connecting,
    Disconnected,
    Disconnecting,
    ErrorState,
    Step,
    TunnelState,
)
from slopn_wire.words import short


def told(state: TunnelState) -> str:
    """For people who read the log."""
    match state:
        case Disconnected(resume=resume):
            return "disconnected" if resume is None else f"paused: {resume} follows"
        case Connecting(profile=profile, step=step, attempt=attempt, endpoints=endpoints, cause=cause):
            to = f" with {', '.join(map(str, endpoints))}" if step is Step.HANDSHAKE else ""
            tries = f" (attempt {attempt + 1}; {short(cause)})" if cause is not None else ""
            return f"connecting to {profile}: {step}{to}{tries}"
        case Connected(profile=profile, endpoints=endpoints, interface=interface):
            return f"connected to {profile} by {interface}, {', '.join(map(str, endpoints))}"
        case Disconnecting(profile=profile, then=then):
            return f"disconnecting, then {then}" + (
                f" {profile}" if then in {AfterDisconnect.RECONNECT, AfterDisconnect.PAUSE} else ""
            )
        case ErrorState(profile=profile, cause=cause, blocking=blocking):
            return f"no tunnel to {profile}: {short(cause)}; traffic is {'' if blocking else 'not '}held back"
        case _:
            assert_never(state)


def name(effect: Effect) -> str:
    """What is done, for people who look closely."""
    policy = f"({type(effect.policy).__name__})" if isinstance(effect, ApplyFirewall) else ""
    return type(effect).__name__ + policy
