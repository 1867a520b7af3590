"""What a step may consult beside the state: facts of the world, all of them values."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from slopn_helper.host.firewall.policy import FirewallPolicy
from slopn_wire.profile import Endpoint, IPAddress


class ProfileFacts(Struct, frozen=True):
    """What the firewall must know of a profile."""

    addresses: tuple[IPAddress, ...] = ()
    dns: tuple[IPAddress, ...] = ()
    demands: tuple[IPAddress, ...] = ()
    """Not empty: nothing may pass without a preshared key of the post-quantum protocol. Where in the tunnel the gateway
    agrees one."""


class Errand(Struct, frozen=True):
    """What this process asks of a gateway's enrolment API right now, beside the tunnel. The default: nothing."""

    names: bool = False
    """The API's name is being resolved."""
    apis: tuple[Endpoint, ...] = ()
    """Where it is, as IP literals."""


class Context(Struct, frozen=True):
    """Facts of the world at the time of a step."""

    profiles: Mapping[str, ProfileFacts] = field(default_factory=dict)
    resolvers: tuple[IPAddress, ...] = ()
    """Who may be asked for an endpoint's name while it is being resolved."""
    in_force: FirewallPolicy | None = None
    """The policy last put in force. None: not known yet, as after a start."""
    jitter: float = 0.5
    """A random number in [0, 1)."""
    pause_left: float = 0.0
    """Seconds until the user's pause is over, by the wall clock: a timer alone would sleep when the computer does."""
    portal: tuple[IPAddress, ...] = ()
    """Who is asked by plain HTTP whether a captive portal answers instead, while connecting fails."""
    errand: Errand = Errand()
    protected: bool = False
    """The session with the gateway in use has a preshared key of the post-quantum protocol."""
