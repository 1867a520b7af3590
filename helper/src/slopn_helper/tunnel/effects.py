"""What the core wants done. The driver does them in order; the first that fails ends the list and is reported back."""

from __future__ import annotations

from msgspec import Struct

from slopn_helper.host.firewall.policy import FirewallPolicy
from slopn_wire.profile import Endpoint


class ApplyFirewall(Struct, frozen=True, tag="apply_firewall"):
    """Put `policy` in force. Added by `machine.step` alone."""

    policy: FirewallPolicy


class ResolveEndpoints(Struct, frozen=True, tag="resolve_endpoints"):
    """Begin to resolve the peers' endpoints; `Resolved` or `EffectFailed` follows later."""

    profile: str
    failing: bool = False
    """An attempt has failed while the network was there: find out as well where to look for a captive portal."""


class StartEngine(Struct, frozen=True, tag="start_engine"):
    """Bring the data plane to the profile's state and begin handshakes; `EngineStarted` follows at once."""

    profile: str
    peers: tuple[tuple[Endpoint, ...], ...]
    """As in `inputs.Resolved`."""


class ConfigureHost(Struct, frozen=True, tag="configure_host"):
    """Addresses, routes and DNS of the profile onto the interface, journalled; `HostConfigured` follows at once."""

    profile: str
    interface: str


class RestoreHost(Struct, frozen=True, tag="restore_host"):
    """Undo what `ConfigureHost` did, in this process or one that died. Nothing to undo is a success."""


class StopEngine(Struct, frozen=True, tag="stop_engine"):
    """End the data plane; `EngineStopped` follows at once. Already stopped is a success."""


class SetTimer(Struct, frozen=True, tag="set_timer"):
    """Replace the one timer. After `after` seconds: `TimerFired`. None: no timer."""

    after: float | None


Effect = ApplyFirewall | ResolveEndpoints | StartEngine | ConfigureHost | RestoreHost | StopEngine | SetTimer
