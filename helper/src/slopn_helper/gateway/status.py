"""What a running gateway says of itself, for `slopn-gateway status`, the metrics and the health checks. Times: Unix seconds."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from slopn_helper.gateway.bans import Why
from slopn_wire.profile import Endpoint, IPAddress


class PeerStatus(Struct, frozen=True):
    """One device as the engine sees it. Where it browses is nobody's business and known nowhere."""

    device: str
    name: str
    addresses: tuple[IPAddress, ...]
    endpoint: Endpoint | None
    """Where it was heard last; None: not since the gateway's start."""
    last_handshake: float | None
    rx_bytes: int
    tx_bytes: int
    post_quantum: bool = False
    """Whether its session has a preshared key by ML-KEM-768."""


class PoolStatus(Struct, frozen=True):
    """One pool."""

    name: str
    lent: int
    size: int
    """Addresses that can be lent in all; of a large IPv6 pool a number with many digits."""


class Trouble(Struct, frozen=True):
    """Something that an administrator should know: a word for programs, a sentence for people."""

    code: str
    """`database`, `network_rules`, `engine`, `bans`, `certificate`, `clock`, `pool`, `enrolment`, `watch`."""
    message: str


class GatewayStatus(Struct, frozen=True):
    """All of it, at one moment."""

    version: str
    since: float
    """When it was started."""
    id: str
    endpoint: Endpoint
    public_key: str
    interface: str
    peers: tuple[PeerStatus, ...]
    """All devices that may connect now."""
    pools: tuple[PoolStatus, ...]
    refused_packets: dict[str, int]
    """Packets that the rules refused, by `net.policy.Refusal`'s names."""
    bans: int
    """Of the built-in ones in force."""
    trouble: tuple[Trouble, ...] = ()
    serving: bool = True
    """Whether devices are let in: rules, engine and interface stand."""
    enrolling: bool = True
    """Whether the enrolment API can do its work: it listens, and the database answers."""


class Meter(Protocol):
    """Counts what happens; never raises, never waits, from the event loop alone."""

    def request(self, path: str, status: int, seconds: float) -> None:
        """A request to the enrolment API was answered. `path` is one of the API's own or `other`."""

    def enrolled(self) -> None:
        """A device is new."""

    def refused(self, why: Why) -> None:
        """Somebody was refused."""

    def handshake(self, seconds: float | None) -> None:
        """A session was agreed; `seconds` from question to answer where we asked."""

    def put_in_force(self, seconds: float) -> None:
        """What the registry told is in force in the engine, so long after it was heard of."""
