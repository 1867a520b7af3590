"""step(): the one function that moves the tunnel from state to state."""

from __future__ import annotations

from typing import assert_never

import msgspec

from slopn_helper.host.firewall.policy import Blocked
from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.effects import ApplyFirewall
from slopn_helper.tunnel.inputs import EffectFailed, Input, Stopping
from slopn_helper.tunnel.policy import closed, policy_for
from slopn_helper.tunnel.states import Next, connected, connecting, disconnected, disconnecting, error
from slopn_wire.settings import Settings
from slopn_wire.state import Connected, Connecting, Disconnected, Disconnecting, ErrorState, TunnelState


def step(state: TunnelState, inp: Input, settings: Settings, ctx: Context) -> Next:
    """The next state and what to do, in order. Equal arguments give equal results.

    States never mention the firewall. It is added here whenever the demanded policy is not the one in force: a block
    goes first, so that nothing after it runs in the open; what lets traffic out goes last, when all before it held. A
    refused policy isn't demanded again in the same step, or the two would chase each other; a timer sees to it.
    """
    nxt = _handle(state, inp, ctx)
    wanted = policy_for(nxt.state, settings, ctx)
    refused = isinstance(inp, EffectFailed) and isinstance(inp.effect, ApplyFirewall)
    effects = nxt.effects
    if wanted != ctx.in_force and not refused:
        apply = ApplyFirewall(wanted)
        effects = (apply, *effects) if isinstance(wanted, Blocked) else (*effects, apply)
    after = nxt.state
    if isinstance(after, ErrorState):
        after = msgspec.structs.replace(after, blocking=closed(ctx.in_force if refused else wanted))
    return Next(after, effects)


def _handle(state: TunnelState, inp: Input, ctx: Context) -> Next:
    if isinstance(inp, Stopping) and isinstance(state, Connecting | Connected | ErrorState):
        return disconnecting.at_the_end(state.profile)
    if isinstance(inp, Stopping) and isinstance(state, Disconnecting):
        return disconnecting.no_further(state)
    match state:
        case Disconnected():
            return disconnected.handle(state, inp, ctx)
        case Connecting():
            return connecting.handle(state, inp, ctx)
        case Connected():
            return connected.handle(state, inp, ctx)
        case Disconnecting():
            return disconnecting.handle(state, inp, ctx)
        case ErrorState():
            return error.handle(state, inp, ctx)
        case _:
            assert_never(state)
