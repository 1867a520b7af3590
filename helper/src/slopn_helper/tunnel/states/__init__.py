"""One module a state; each answers: given this input, where next, and what must be done?

`enter` and its kin in a module are how other states get there. An input that means nothing in a state means "stay".
"""

from __future__ import annotations

from msgspec import Struct

from slopn_helper.tunnel.effects import Effect
from slopn_wire.state import TunnelState


class Next(Struct, frozen=True):
    """Where to, and what must be done on the way, in this order."""

    state: TunnelState
    effects: tuple[Effect, ...] = ()
