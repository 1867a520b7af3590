"""Connected: traffic flows through the tunnel."""

from __future__ import annotations

from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.effects import ApplyFirewall, ConfigureHost
from slopn_helper.tunnel.inputs import (
    Connect,
    Drifted,
    EffectFailed,
    EngineDown,
    HandshakeStale,
    Input,
    NetworkChanged,
    Part,
    Pause,
    ProtectionChanged,
    SettingsApplied,
)
from slopn_helper.tunnel.policy import unprotected
from slopn_helper.tunnel.states import Next, connecting, disconnecting, error
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.state import AfterDisconnect, Connected, ErrorCause


def handle(state: Connected, inp: Input, ctx: Context) -> Next:
    """Stay until something ends it. A new network alone doesn't: sessions roam."""
    match inp:
        case Disconnect():
            return disconnecting.enter(state.profile, AfterDisconnect.NOTHING)
        case Reconnect():
            return disconnecting.enter(state.profile, AfterDisconnect.RECONNECT)
        case Pause(profile=profile):
            return disconnecting.enter(profile, AfterDisconnect.PAUSE)
        case Connect(profile=profile) if profile != state.profile:
            return disconnecting.enter(profile, AfterDisconnect.RECONNECT)
        case HandshakeStale():
            return connecting.resume(state.profile, state.endpoints, state.interface, ErrorCause.STALE)
        case EngineDown():
            return connecting.resume(state.profile, state.endpoints, None, ErrorCause.ENGINE)
        case Drifted(part=Part.HOST) | SettingsApplied(host=True):
            return Next(state, (ConfigureHost(state.profile, state.interface),))
        case ProtectionChanged() if unprotected(state, ctx):
            return connecting.protect(state)
        case NetworkChanged(online=False):
            return connecting.offline(state.profile, state.endpoints, state.interface)
        case EffectFailed(effect=ApplyFirewall()):
            return error.enter(ErrorCause.FIREWALL, state.profile, 0, ctx)
        case EffectFailed():
            return disconnecting.after_failure(state.profile, inp, 0)
        case _:
            return Next(state)
