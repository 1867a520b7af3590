"""The snapshot and what it is made of, as plain JSON; `documents` says why."""

from __future__ import annotations

from typing import Literal, TypedDict

KillSwitch = Literal["off", "on", "always"]
Level = Literal["debug", "info", "warning", "error", "critical"]
Right = Literal["view", "connect", "configure"]


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


class EnrolledGatewayDoc(TypedDict):
    """`EnrolledGateway`."""

    endpoint: EndpointDoc
    public_key: str
    pin: str
    api: EndpointDoc


class EnrolmentDoc(TypedDict):
    """`Enrolment`."""

    device: str
    gateways: list[EnrolledGatewayDoc]
    inside: list[str]
    since: float
    expires: float | None


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
    enrolment: EnrolmentDoc | None
    post_quantum: Literal["off", "on", "demand"]


class SettingsDoc(TypedDict):
    """`Settings`."""

    kill_switch: KillSwitch
    allow_lan: bool
    resolvers: list[str]
    dns_mechanism: str | None
    exclude: list[str]
    include: list[str]
    local_user: bool
    log_level: Level
    log_addresses: bool
    portal_url: str


class DisconnectedDoc(TypedDict):
    """`Disconnected`."""

    type: Literal["disconnected"]
    resume: str | None


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
    remedy: str
    args: dict[str, str]


class NetworkDoc(TypedDict):
    """`Network`."""

    online: bool
    interface: str | None
    mtu: int
    ssid: str | None
    metered: bool


class ProtectionDoc(TypedDict):
    """`Protection`."""

    demanded: bool
    since: float | None
    failed: int


class LiveDoc(TypedDict):
    """`Live`."""

    interface: str | None
    addresses: list[str]
    dns: DnsDoc
    mtu: int | None
    path_mtu: int | None
    gateway: EndpointDoc | None
    post_quantum: ProtectionDoc | None


class StatsDoc(TypedDict):
    """`Stats`."""

    type: Literal["stats"]
    rx_bytes: int
    tx_bytes: int
    last_handshake: float | None
    endpoint: EndpointDoc | None
    latency: float | None


class DeviceDoc(TypedDict):
    """`Device`."""

    id: str
    name: str
    user: str
    uid: int
    rights: list[Right]
    created: float
    expires: float
    last_seen: float | None


class PendingPairingDoc(TypedDict):
    """`PendingPairing`."""

    id: str
    name: str
    user: str
    uid: int
    program: str
    rights: list[Right]
    expires: float


class SnapshotDoc(TypedDict):
    """`Snapshot`."""

    type: Literal["snapshot"]
    seq: int
    epoch: str
    protocol: list[int]
    version: str
    state: StateDoc
    since: float
    target: str
    target_profile: str | None
    paused_until: float | None
    next_try: float | None
    policy: str
    settings: SettingsDoc
    profiles: list[ProfileDoc]
    health: list[WarningDoc]
    network: NetworkDoc
    live: LiveDoc
    stats: StatsDoc
    devices: list[DeviceDoc]
    pairings: list[PendingPairingDoc]
