"""The tunnel's state, as every process of the product sees it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from slopn_wire.profile import Endpoint


class TargetState(StrEnum):
    """What the user wants; survives restarts. The machine works towards it."""

    UNSECURED = "unsecured"
    SECURED = "secured"
    PAUSED = "paused"
    """Secured again when the pause is over; until then as if unsecured."""


class AfterDisconnect(StrEnum):
    """Where a teardown leads."""

    NOTHING = "nothing"
    RECONNECT = "reconnect"
    BLOCK = "block"
    PAUSE = "pause"


class Step(StrEnum):
    """What a connecting tunnel is doing right now."""

    RESOLVING = "resolving"
    HANDSHAKE = "handshake"
    CONFIGURING = "configuring"
    PROTECTING = "protecting"
    """All but the post-quantum key is there, which the profile demands."""
    WAITING = "waiting"


class ErrorCause(StrEnum):
    """Why there is no tunnel, or why this attempt failed. `slopn_wire.words` has a sentence for each."""

    OFFLINE = "offline"
    RESOLVE = "resolve"
    HANDSHAKE = "handshake"
    STALE = "stale"
    UNPROTECTED = "unprotected"
    BAD_PROFILE = "bad_profile"
    OVERLAP = "overlap"
    TUN_DEVICE = "tun_device"
    ENGINE = "engine"
    FIREWALL = "firewall"
    HOST = "host"
    RESTORE = "restore"
    STOPPED = "stopped"


class Disconnected(Struct, frozen=True, tag="disconnected"):
    """No tunnel and none wanted, or none for now."""

    resume: str | None = None
    """Paused: the profile to connect to again when the pause is over."""


class Connecting(Struct, frozen=True, tag="connecting"):
    """A tunnel is wanted and not up yet. `attempt` > 0 after a failure, whose cause is then in `cause`."""

    profile: str
    attempt: int = 0
    step: Step = Step.RESOLVING
    endpoints: tuple[Endpoint, ...] = ()
    """IP literals once resolved: the most promising one of each of the profile's peers, then all others."""
    interface: str | None = None
    cause: ErrorCause | None = None


class Connected(Struct, frozen=True, tag="connected"):
    """Traffic flows through the tunnel: the handshake is done, the host configured, the policy in force."""

    profile: str
    endpoints: tuple[Endpoint, ...]
    interface: str


class Disconnecting(Struct, frozen=True, tag="disconnecting"):
    """The tunnel is being taken down. `profile` is the one to connect to next when `then` is RECONNECT."""

    profile: str
    then: AfterDisconnect
    attempt: int = 0
    """Failed tries of the teardown itself."""
    cause: ErrorCause | None = None
    """What to report when `then` is BLOCK."""
    retries: int = 0
    """Failed attempts of the connection that is being torn down: back-off goes on from here."""


class ErrorState(Struct, frozen=True, tag="error"):
    """No tunnel is possible until something changes; tried again from time to time."""

    cause: ErrorCause
    profile: str
    blocking: bool = True
    """False: traffic is not held back; the user must be told loudly."""
    attempt: int = 0


TunnelState = Disconnected | Connecting | Connected | Disconnecting | ErrorState
