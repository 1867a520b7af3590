"""The wire's messages as plain JSON: what `slopn_wire`'s structs look like after `json.loads`.

The command line reads these instead of the structs, since importing msgspec takes longer than all it has to do; at run
time it doesn't even import these. A unit test holds each of them against its struct, field for field.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from slopn_app.cli.snapshot_documents import (
    LiveDoc,
    NetworkDoc,
    PendingPairingDoc,
    ProfileDoc,
    Right,
    StateDoc,
    WarningDoc,
)
from slopn_app.cli.snapshot_documents import SnapshotDoc as SnapshotDoc  # noqa: PLC0414 - the chief of them, found here


class StateChangedDoc(TypedDict):
    """`StateChanged`."""

    type: Literal["state"]
    state: StateDoc
    since: float
    target: str
    target_profile: str | None
    paused_until: float | None
    next_try: float | None
    policy: str
    live: LiveDoc


class OtherBodyDoc(TypedDict):
    """The bodies of events that the command line folds without looking into them."""

    type: Literal["settings", "profiles", "health", "network", "stats", "devices", "pairings"]


class EventDoc(TypedDict):
    """`Event`."""

    type: Literal["event"]
    seq: int
    body: StateChangedDoc | OtherBodyDoc


class LaggedDoc(TypedDict):
    """`Lagged`."""

    type: Literal["lagged"]


class ResumedDoc(TypedDict):
    """`Resumed`."""

    type: Literal["resumed"]
    seq: int


class LogLineDoc(TypedDict):
    """`LogLine`."""

    number: int
    at: float
    level: str
    component: str
    message: str


class LogsDoc(TypedDict):
    """`Logs`."""

    type: Literal["logs"]
    lines: list[LogLineDoc]
    missed: int
    epoch: str


class ExportedDoc(TypedDict):
    """`Exported`."""

    type: Literal["exported"]
    text: str


class CheckedDoc(TypedDict):
    """`Checked`."""

    type: Literal["checked"]
    profile: ProfileDoc | None
    problem: str
    line: int | None
    column: int | None


class LinkHoldsDoc(TypedDict):
    """`LinkHolds`."""

    type: Literal["link_holds"]
    host: str
    port: int
    pin: str
    name: str


class EnrolledDoc(TypedDict):
    """`Enrolled`."""

    type: Literal["enrolled"]
    profile: ProfileDoc


class DoneDoc(TypedDict):
    """`Done`."""

    type: Literal["done"]
    notes: list[str]


class RefusedDoc(TypedDict):
    """`Refused`."""

    type: Literal["refused"]
    kind: Literal["invalid", "not_permitted", "not_paired", "limited", "conflict", "failed"]
    message: str


class PairedDoc(TypedDict):
    """`Paired`."""

    type: Literal["paired"]
    device: str
    certificate: str
    rights: list[Right]


class NumberNeededDoc(TypedDict):
    """`NumberNeeded`."""

    type: Literal["number_needed"]
    pairing: str
    expires: float


class ShownPairingDoc(TypedDict):
    """`ShownPairing`."""

    pairing: PendingPairingDoc
    number: str


class PairingsDoc(TypedDict):
    """`Pairings`."""

    type: Literal["pairings"]
    pairings: list[ShownPairingDoc]


class AllowedUserDoc(TypedDict):
    """`AllowedUser`."""

    name: str
    uid: int
    basis: Literal["root", "group", "added", "seat"]


class UsersDoc(TypedDict):
    """`Users`."""

    type: Literal["users"]
    users: list[AllowedUserDoc]


class CheckDoc(TypedDict):
    """`Check`."""

    code: str
    verdict: Literal["fine", "notice", "broken", "unknown"]
    text: str
    remedy: str


class DiagnosisDoc(TypedDict):
    """`Diagnosis`."""

    type: Literal["diagnosis"]
    checks: list[CheckDoc]
    files: dict[str, str]


class ReplayedStepDoc(TypedDict):
    """`ReplayedStep`."""

    number: int
    at: float
    input: str
    state: StateDoc
    recorded: StateDoc


class ReplayedDoc(TypedDict):
    """`Replayed`."""

    type: Literal["replayed"]
    steps: list[ReplayedStepDoc]
    version: str
    problem: str


ResultDoc = (
    SnapshotDoc
    | ResumedDoc
    | LogsDoc
    | ExportedDoc
    | CheckedDoc
    | LinkHoldsDoc
    | EnrolledDoc
    | DoneDoc
    | RefusedDoc
    | PairedDoc
    | NumberNeededDoc
    | PairingsDoc
    | UsersDoc
    | DiagnosisDoc
    | ReplayedDoc
)


class ReplyDoc(TypedDict):
    """`Reply`."""

    type: Literal["reply"]
    id: int
    result: ResultDoc


MessageDoc = ReplyDoc | EventDoc | LogsDoc | LaggedDoc
StreamedDoc = EventDoc | LogsDoc | LaggedDoc
"""What comes without being asked for."""


class UnreachableDoc(TypedDict):
    """Our own, in a stream: the helper is gone; the next try is `retry_in` seconds away."""

    type: Literal["unreachable"]
    reason: str
    retry_in: float


FollowedDoc = SnapshotDoc | ResumedDoc | EventDoc | UnreachableDoc
"""What a watch that heals itself goes through."""


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
    paused_until: float | None
    """Unix time; None: no pause."""
    next_try: float | None
    """Unix time of the next attempt; None: none is waited for."""
    rx_bytes: int
    tx_bytes: int
    last_handshake: float | None
    """Unix time."""
    path_mtu: int | None
    gateway: str | None
    """Of several gateways, the one in use, as the profile names it."""
    post_quantum: str | None
    """protected; agreeing: not yet; unanswered: the gateway agrees no key. None: the profile doesn't want one."""
    post_quantum_since: float | None
    """Unix time."""
    kill_switch: str
    policy: str
    """open, blocked or tunnelled; unknown when the firewall gives no answer."""
    network: NetworkDoc
    warnings: list[WarningDoc]
    seq: int
