"""The wire's messages as plain JSON: what `slopn_wire`'s structs look like after `json.loads`.

The command line reads these instead of the structs, since importing msgspec takes longer than all it has to do; at run
time it doesn't even import these. A unit test holds each of them against its struct, field for field.
"""

from __future__ import annotations

from typing import Literal, TypedDict

KillSwitch = Literal["off", "on", "always"]


class EndpointDoc(TypedDict):
    """`Endpoint`."""

    host: str
    port: int


class DnsDoc(TypedDict):
    """`DnsConfig`."""

    servers: list[str]
    search: list[str]
    match: list[str]


class PeerDoc(TypedDict):
    """`Peer`."""

    public_key: str
    endpoint: EndpointDoc | None
    allowed_ips: list[str]
    persistent_keepalive: int | None
    has_preshared_key: bool


class ProfileDoc(TypedDict):
    """`Profile`."""

    name: str
    addresses: list[str]
    peers: list[PeerDoc]
    dns: DnsDoc
    mtu: int | None
    listen_port: int | None
    table: str
    fwmark: int | None
    notes: list[str]


class SettingsDoc(TypedDict):
    """`Settings`."""

    kill_switch: KillSwitch
    allow_lan: bool
    resolvers: list[str]
    dns_mechanism: str | None


class DisconnectedDoc(TypedDict):
    """`Disconnected`."""

    type: Literal["disconnected"]


class ConnectingDoc(TypedDict):
    """`Connecting`."""

    type: Literal["connecting"]
    profile: str
    attempt: int
    step: str
    endpoints: list[EndpointDoc]
    interface: str | None
    cause: str | None


class ConnectedDoc(TypedDict):
    """`Connected`."""

    type: Literal["connected"]
    profile: str
    endpoints: list[EndpointDoc]
    interface: str


class DisconnectingDoc(TypedDict):
    """`Disconnecting`."""

    type: Literal["disconnecting"]
    profile: str
    then: str
    attempt: int
    cause: str | None
    retries: int


class ErrorDoc(TypedDict):
    """`ErrorState`."""

    type: Literal["error"]
    cause: str
    profile: str
    blocking: bool
    attempt: int


StateDoc = DisconnectedDoc | ConnectingDoc | ConnectedDoc | DisconnectingDoc | ErrorDoc


class WarningDoc(TypedDict):
    """`Warning`."""

    code: str
    severity: str
    text: str


class NetworkDoc(TypedDict):
    """`Network`."""

    online: bool
    interface: str | None
    mtu: int


class LiveDoc(TypedDict):
    """`Live`."""

    interface: str | None
    addresses: list[str]
    dns: DnsDoc
    mtu: int | None
    path_mtu: int | None


class StatsDoc(TypedDict):
    """`Stats`."""

    type: Literal["stats"]
    rx_bytes: int
    tx_bytes: int
    last_handshake: float | None
    endpoint: EndpointDoc | None


class SnapshotDoc(TypedDict):
    """`Snapshot`."""

    type: Literal["snapshot"]
    seq: int
    protocol: list[int]
    version: str
    state: StateDoc
    since: float
    target: str
    target_profile: str | None
    policy: str
    settings: SettingsDoc
    profiles: list[ProfileDoc]
    health: list[WarningDoc]
    network: NetworkDoc
    live: LiveDoc
    stats: StatsDoc


class StateChangedDoc(TypedDict):
    """`StateChanged`."""

    type: Literal["state"]
    state: StateDoc
    since: float
    target: str
    target_profile: str | None
    policy: str
    live: LiveDoc


class OtherBodyDoc(TypedDict):
    """The bodies of events that the command line passes over."""

    type: Literal["settings", "profiles", "health", "network", "stats"]


class EventDoc(TypedDict):
    """`Event`."""

    type: Literal["event"]
    seq: int
    body: StateChangedDoc | OtherBodyDoc


class LogLineDoc(TypedDict):
    """`LogLine`."""

    type: Literal["log"]
    at: float
    level: str
    logger: str
    message: str


class LaggedDoc(TypedDict):
    """`Lagged`."""

    type: Literal["lagged"]


class LogsDoc(TypedDict):
    """`Logs`."""

    type: Literal["logs"]
    lines: list[LogLineDoc]


class ExportedDoc(TypedDict):
    """`Exported`."""

    type: Literal["exported"]
    text: str


class DoneDoc(TypedDict):
    """`Done`."""

    type: Literal["done"]
    notes: list[str]


class RefusedDoc(TypedDict):
    """`Refused`."""

    type: Literal["refused"]
    kind: Literal["invalid", "not_permitted", "conflict", "failed"]
    message: str


ResultDoc = SnapshotDoc | LogsDoc | ExportedDoc | DoneDoc | RefusedDoc


class ReplyDoc(TypedDict):
    """`Reply`."""

    type: Literal["reply"]
    id: int
    result: ResultDoc


MessageDoc = ReplyDoc | EventDoc | LogLineDoc | LaggedDoc
StreamedDoc = EventDoc | LogLineDoc | LaggedDoc
"""What comes without being asked for."""


class StatusDoc(TypedDict):
    """`slopn status --json`: its keys are stable, others may be added."""

    state: str
    """disconnected, connecting, connected, disconnecting or error."""
    attempt: int
    """Failed tries before this one."""
    cause: str | None
    """Why there is no tunnel, or why the last try failed."""
    blocking: bool
    """Whether traffic is being held back."""
    profile: str | None
    endpoint: str | None
    """Address and port in use, an IPv6 address in brackets."""
    interface: str | None
    addresses: list[str]
    dns: list[str]
    """Resolvers in force through the tunnel."""
    since: float
    """Unix time at which this state began."""
    rx_bytes: int
    tx_bytes: int
    last_handshake: float | None
    """Unix time."""
    path_mtu: int | None
    kill_switch: str
    policy: str
    """open, blocked or tunnelled; unknown when the firewall gives no answer."""
    network: NetworkDoc
    warnings: list[WarningDoc]
    seq: int
