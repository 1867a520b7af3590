"""Disconnected: no tunnel, none wanted. The only state in which an open host is legal with the kill switch on."""

from __future__ import annotations

from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.effects import ApplyFirewall, RestoreHost, SetTimer, StopEngine
from slopn_helper.tunnel.inputs import Connect, EffectFailed, Input, Started
from slopn_helper.tunnel.states import Next, connecting
from slopn_wire.commands import Disconnect
from slopn_wire.state import Disconnected

REFUSED_AGAIN_AFTER = 5.0
"""Seconds until a refused policy is tried once more."""


def enter() -> Next:
    """Everything is undone."""
    return Next(Disconnected(), (SetTimer(None),))


def handle(state: Disconnected, inp: Input, _ctx: Context) -> Next:
    """Wait for a wish. A refused firewall is tried again when the timer fires: `step` sees that it isn't in force."""
    match inp:
        case Connect(profile=profile):
            return connecting.enter(profile)
        case Started(profile=str() as profile):
            return connecting.enter(profile, RestoreHost())
        case Started() | Disconnect():
            # Asked again: what a failed teardown or a killed helper left behind gets another chance.
            return Next(state, (RestoreHost(), StopEngine()))
        case EffectFailed(effect=ApplyFirewall()):
            return Next(state, (SetTimer(REFUSED_AGAIN_AFTER),))
        case _:
            return Next(state)
