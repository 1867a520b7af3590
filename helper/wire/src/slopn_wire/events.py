"""What the helper tells its clients: one snapshot, then events that continue it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from slopn_wire.devices import AllowedUser, Device, PendingPairing, Right, ShownPairing
from slopn_wire.diagnosis import Diagnosis, Replayed
from slopn_wire.logs import Logs
from slopn_wire.profile import DnsConfig, Endpoint, IPInterface, Profile
from slopn_wire.profile_replies import Checked, Enrolled, LinkHolds
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
    """What is wrong and what it means: one or two sentences."""
    remedy: str = ""
    """What to do about it; empty: nothing."""
    args: dict[str, str] = {}
    """What was filled into the sentence, by name, for who has the code's sentence in another language."""


class Network(Struct, frozen=True):
    """The network the host is on."""

    online: bool
    interface: str | None = None
    mtu: int = 1500
    ssid: str | None = None
    """The Wi-Fi's name, if there is one and it is known."""
    metered: bool = False
    """Traffic there costs money, as far as the system knows."""


class Protection(Struct, frozen=True):
    """Of the tunnel's preshared key by ML-KEM-768, where the profile wants one."""

    demanded: bool
    since: float | None = None
    """Unix time at which the key in force was agreed; None: there is none."""
    failed: int = 0
    """Exchanges that the gateway left unanswered since the last one that succeeded."""


class Live(Struct, frozen=True):
    """What is true of the tunnel right now, beside its state. Empty while there is none."""

    interface: str | None = None
    addresses: tuple[IPInterface, ...] = ()
    dns: DnsConfig = DnsConfig()
    mtu: int | None = None
    path_mtu: int | None = None
    """Bytes of the largest packet that the way to the gateways carries, outside; None: not known."""
    gateway: Endpoint | None = None
    """Of an enrolment's gateways, the one in use, as its profile names it."""
    post_quantum: Protection | None = None
    """None: the profile doesn't want it."""


class Stats(Struct, frozen=True, tag="stats"):
    """Counters of the tunnel, over all peers, in bytes; times are Unix seconds."""

    rx_bytes: int = 0
    tx_bytes: int = 0
    last_handshake: float | None = None
    endpoint: Endpoint | None = None
    """Where packets to the first gateway go by now: it may have moved (roaming)."""
    latency: float | None = None
    """Seconds to the first gateway and back, at the last handshake."""


class Snapshot(Struct, frozen=True, tag="snapshot"):
    """Everything a fresh client needs to draw itself, as of event `seq`."""

    seq: int = 0
    epoch: str = ""
    """The helper's run that `seq` belongs to: another one after each start."""
    protocol: tuple[int, int] = PROTOCOL
    version: str = ""
    state: TunnelState = Disconnected()
    since: float = 0.0
    """Unix time at which `state` was entered."""
    target: TargetState = TargetState.UNSECURED
    target_profile: str | None = None
    paused_until: float | None = None
    """Unix time; None unless `target` is PAUSED."""
    next_try: float | None = None
    """Unix time of the next attempt; None: there is none to wait for."""
    policy: PolicyKind = PolicyKind.UNKNOWN
    settings: Settings = Settings()
    profiles: tuple[Profile, ...] = ()
    health: tuple[Warning, ...] = ()
    network: Network = Network(online=False)
    live: Live = Live()
    stats: Stats = Stats()
    devices: tuple[Device, ...] = ()
    pairings: tuple[PendingPairing, ...] = ()


class StateChanged(Struct, frozen=True, tag="state"):
    """The tunnel's state, and all that changes with it, in one event."""

    state: TunnelState
    since: float
    target: TargetState
    target_profile: str | None
    paused_until: float | None
    policy: PolicyKind
    live: Live
    next_try: float | None = None


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


class DevicesChanged(Struct, frozen=True, tag="devices"):
    """All paired front ends."""

    devices: tuple[Device, ...]


class PairingsChanged(Struct, frozen=True, tag="pairings"):
    """All front ends that wait to be paired."""

    pairings: tuple[PendingPairing, ...]


EventBody = (
    StateChanged
    | SettingsChanged
    | ProfilesChanged
    | HealthChanged
    | NetworkInfo
    | Stats
    | DevicesChanged
    | PairingsChanged
)


class Event(Struct, frozen=True, tag="event"):
    """One numbered change."""

    seq: int
    """The previous number + 1; a gap means: ask for a new snapshot."""
    body: EventBody


class Lagged(Struct, frozen=True, tag="lagged"):
    """The reader fell too far behind; events were dropped. Ask for a new snapshot."""


class Resumed(Struct, frozen=True, tag="resumed"):
    """Reply to `Watch` with `after`: the events after it follow, without a gap."""

    seq: int


class Exported(Struct, frozen=True, tag="exported"):
    """Reply to `ExportProfile`."""

    text: str

    def __repr__(self) -> str:
        return "Exported(…)"


class Done(Struct, frozen=True, tag="done"):
    """Accepted; the outcome comes as events. `notes` are sentences for the user."""

    notes: tuple[str, ...] = ()


class ErrorKind(StrEnum):
    """Why a request was refused; decides the command line's exit status."""

    INVALID = "invalid"
    NOT_PERMITTED = "not_permitted"
    NOT_PAIRED = "not_paired"
    """This front end has no certificate, or one that holds no longer: pair, then ask again."""
    LIMITED = "limited"
    """Too much at once; ask again later."""
    CONFLICT = "conflict"
    """Another client was quicker: what the request builds on isn't so any more. Look again, then ask again."""
    FAILED = "failed"


class Refused(Struct, frozen=True, tag="refused"):
    """The request was not carried out; nothing changed."""

    kind: ErrorKind
    message: str


class Paired(Struct, frozen=True, tag="paired"):
    """Reply to `Pair`, `ConfirmPairing` and `Renew`: the certificate to connect with from now on."""

    device: str
    certificate: str
    """PEM, signed by the greeting's authority."""
    rights: tuple[Right, ...]


class NumberNeeded(Struct, frozen=True, tag="number_needed"):
    """Reply to `Pair`: the user must repeat a number that the helper shows elsewhere, before `expires` (Unix time)."""

    pairing: str
    expires: float


class Pairings(Struct, frozen=True, tag="pairings"):
    """Reply to `GetPairings`. A user sees the own ones, root all of them."""

    pairings: tuple[ShownPairing, ...]


class Users(Struct, frozen=True, tag="users"):
    """Reply to `GetUsers`."""

    users: tuple[AllowedUser, ...]


Result = (
    Snapshot
    | Resumed
    | Logs
    | Exported
    | Checked
    | LinkHolds
    | Enrolled
    | Done
    | Refused
    | Paired
    | NumberNeeded
    | Pairings
    | Users
    | Diagnosis
    | Replayed
)


class Reply(Struct, frozen=True, tag="reply"):
    """The answer to the request with the same `id`."""

    id: int
    result: Result


ServerMessage = Reply | Event | Logs | Lagged
