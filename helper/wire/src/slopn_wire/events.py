"""What the helper tells its clients: one snapshot, then events that continue it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from slopn_wire.profile import DnsConfig, Endpoint, IPInterface, Profile
from slopn_wire.settings import Settings
from slopn_wire.state import Disconnected, TargetState, TunnelState

PROTOCOL = (1, 0)
"""(major, minor): a client refuses another major."""


class PolicyKind(StrEnum):
    """What is in force on this host, in one word."""

    OPEN = "open"
    BLOCKED = "blocked"
    TUNNELLED = "tunnelled"
    UNKNOWN = "unknown"
    """The firewall refused to answer."""


class Severity(StrEnum):
    """How much a warning matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Warning(Struct, frozen=True):  # noqa: A001 - the health list's word in every front end
    """One entry of the health list."""

    code: str
    severity: Severity
    text: str
    """What is wrong, what it means, what to do: one or two sentences."""


class Network(Struct, frozen=True):
    """The network the host is on."""

    online: bool
    interface: str | None = None
    mtu: int = 1500


class Live(Struct, frozen=True):
    """What is true of the tunnel right now, beside its state. Empty while there is none."""

    interface: str | None = None
    addresses: tuple[IPInterface, ...] = ()
    dns: DnsConfig = DnsConfig()
    mtu: int | None = None
    path_mtu: int | None = None


class Stats(Struct, frozen=True, tag="stats"):
    """Counters of the tunnel, over all peers, in bytes; times are Unix seconds."""

    rx_bytes: int = 0
    tx_bytes: int = 0
    last_handshake: float | None = None
    endpoint: Endpoint | None = None
    """Where packets to the first gateway go by now: it may have moved (roaming)."""


class Snapshot(Struct, frozen=True, tag="snapshot"):
    """Everything a fresh client needs to draw itself, as of event `seq`."""

    seq: int = 0
    protocol: tuple[int, int] = PROTOCOL
    version: str = ""
    state: TunnelState = Disconnected()
    since: float = 0.0
    """Unix time at which `state` was entered."""
    target: TargetState = TargetState.UNSECURED
    target_profile: str | None = None
    policy: PolicyKind = PolicyKind.UNKNOWN
    settings: Settings = Settings()
    profiles: tuple[Profile, ...] = ()
    health: tuple[Warning, ...] = ()
    network: Network = Network(online=False)
    live: Live = Live()
    stats: Stats = Stats()


class StateChanged(Struct, frozen=True, tag="state"):
    """The tunnel's state, and all that changes with it, in one event."""

    state: TunnelState
    since: float
    target: TargetState
    target_profile: str | None
    policy: PolicyKind
    live: Live


class SettingsChanged(Struct, frozen=True, tag="settings"):
    """New settings are in force."""

    settings: Settings


class ProfilesChanged(Struct, frozen=True, tag="profiles"):
    """The whole list of profiles."""

    profiles: tuple[Profile, ...]


class HealthChanged(Struct, frozen=True, tag="health"):
    """The whole health list."""

    health: tuple[Warning, ...]


class NetworkInfo(Struct, frozen=True, tag="network"):
    """The host moved to another network, or lost it."""

    network: Network


EventBody = StateChanged | SettingsChanged | ProfilesChanged | HealthChanged | NetworkInfo | Stats


class Event(Struct, frozen=True, tag="event"):
    """One numbered change."""

    seq: int
    """The previous number + 1; a gap means: ask for a new snapshot."""
    body: EventBody


class LogLine(Struct, frozen=True, tag="log"):
    """One redacted line of the helper's log. Not numbered with the events: a client may leave logs out."""

    at: float
    level: str
    logger: str
    message: str


class Lagged(Struct, frozen=True, tag="lagged"):
    """The reader fell too far behind; events were dropped. Ask for a new snapshot."""


class Logs(Struct, frozen=True, tag="logs"):
    """Reply to `GetLogs`."""

    lines: tuple[LogLine, ...]


class Exported(Struct, frozen=True, tag="exported"):
    """Reply to `ExportProfile`."""

    text: str


class Done(Struct, frozen=True, tag="done"):
    """Accepted; the outcome comes as events. `notes` are sentences for the user."""

    notes: tuple[str, ...] = ()


class ErrorKind(StrEnum):
    """Why a request was refused; decides the command line's exit status."""

    INVALID = "invalid"
    NOT_PERMITTED = "not_permitted"
    CONFLICT = "conflict"
    """Another client was quicker: what the request builds on isn't so any more. Look again, then ask again."""
    FAILED = "failed"


class Refused(Struct, frozen=True, tag="refused"):
    """The request was not carried out; nothing changed."""

    kind: ErrorKind
    message: str


Result = Snapshot | Logs | Exported | Done | Refused


class Reply(Struct, frozen=True, tag="reply"):
    """The answer to the request with the same `id`."""

    id: int
    result: Result


ServerMessage = Reply | Event | LogLine | Lagged
