"""What can happen to the tunnel: a client's command, or an observation of the world."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from slopn_helper.tunnel.effects import Effect
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.profile import Endpoint
from slopn_wire.state import ErrorCause


class Connect(Struct, frozen=True, tag="connect"):
    """The user wants `profile`: the wire's `Connect` once the hub has found which profile is meant."""

    profile: str


class Pause(Struct, frozen=True, tag="pause"):
    """The user wants no tunnel for now, and `profile` again when `Context.pause_left` has run out."""

    profile: str


class Started(Struct, frozen=True, tag="started"):
    """The helper has just started. `profile` is what the user wanted before; None: nothing."""

    profile: str | None
    paused: bool = False
    """The user wants it when the pause is over."""


class Resolved(Struct, frozen=True, tag="resolved"):
    """The endpoints' addresses."""

    peers: tuple[tuple[Endpoint, ...], ...]
    """For each of the profile's peers that has an endpoint, in their order: its addresses, at least one, the most
    promising first."""


class EngineStarted(Struct, frozen=True, tag="engine_started"):
    """`StartEngine` is done: the interface exists."""

    interface: str


class EngineStopped(Struct, frozen=True, tag="engine_stopped"):
    """`StopEngine` is done."""


class HostConfigured(Struct, frozen=True, tag="host_configured"):
    """`ConfigureHost` is done."""


class HandshakeDone(Struct, frozen=True, tag="handshake_done"):
    """A peer answered."""


class HandshakeStale(Struct, frozen=True, tag="handshake_stale"):
    """No peer answers any more."""


class EngineDown(Struct, frozen=True, tag="engine_down"):
    """The data plane ended by itself."""

    reason: str


class NetworkChanged(Struct, frozen=True, tag="network_changed"):
    """The host moved to another network, or lost it."""

    online: bool


class Part(StrEnum):
    """What of this host we have changed, and somebody else may change under us."""

    FIREWALL = "firewall"
    HOST = "host"
    """Addresses, routes, policy rules, DNS."""


class Drifted(Struct, frozen=True, tag="drifted"):
    """The host isn't as we left it: somebody else has changed it. Put it back.

    Of a firewall that has drifted the context says that nobody knows what is in force.
    """

    part: Part
    what: str = ""


class TimerFired(Struct, frozen=True, tag="timer_fired"):
    """The time of the last `SetTimer` is up."""


class SettingsApplied(Struct, frozen=True, tag="settings_applied"):
    """Other settings hold from this step on; they come in `step`'s argument."""

    host: bool = False
    """They ask for other routes or DNS than those before, and not only for another policy."""


class ErrandChanged(Struct, frozen=True, tag="errand_changed"):
    """`Context.errand` is another one from this step on."""


class ProtectionChanged(Struct, frozen=True, tag="protection_changed"):
    """`Context.protected` may be another one from this step on."""


class Stopping(Struct, frozen=True, tag="stopping"):
    """The helper is about to end: undo all but the block. The wish stays, and so does a closed host."""


class EffectFailed(Struct, frozen=True, tag="effect_failed"):
    """An effect failed, and those after it in its list were not begun."""

    effect: Effect
    detail: str = ""
    cause: ErrorCause | None = None
    """What the failure is known to mean; None: the usual meaning of this effect's failure."""


TunnelCommand = Connect | Disconnect | Reconnect | Pause
Observation = (
    Started
    | Resolved
    | EngineStarted
    | EngineStopped
    | HostConfigured
    | HandshakeDone
    | HandshakeStale
    | EngineDown
    | NetworkChanged
    | Drifted
    | TimerFired
    | SettingsApplied
    | ErrandChanged
    | ProtectionChanged
    | Stopping
    | EffectFailed
)
Input = TunnelCommand | Observation
