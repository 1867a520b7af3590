"""The data plane as the helper sees it; packets never cross this line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from msgspec import Struct

from slopn_wire.profile import IPNetwork


class EngineError(Exception):
    """The engine could not be started or changed; the cause is in the message."""


class PeerConfig(Struct, frozen=True):
    """One peer as the engine needs it: keys are 32 raw bytes, the endpoint is an IP literal."""

    public_key: bytes
    allowed_ips: tuple[IPNetwork, ...]
    endpoint: tuple[str, int] | None = None
    preshared_key: bytes | None = None
    persistent_keepalive: int | None = None
    alternatives: tuple[tuple[str, int], ...] = ()
    """Other addresses of the same gateway: handshakes are sent to them too while `endpoint` is silent."""

    def __repr__(self) -> str:
        return f"PeerConfig({self.endpoint})"


class EngineConfig(Struct, frozen=True):
    """The whole desired state of the data plane."""

    interface: str
    private_key: bytes
    peers: tuple[PeerConfig, ...]
    mtu: int = 1420
    listen_port: int | None = None
    fwmark: int | None = None
    bind_device: str | None = None

    def __repr__(self) -> str:
        return f"EngineConfig({self.interface}, {len(self.peers)} peers)"


class EngineUp(Struct, frozen=True):
    """The TUN device exists."""

    interface: str


class HandshakeDone(Struct, frozen=True):
    """A session with a peer was agreed, anew or by rekeying."""

    public_key: bytes
    rtt: float | None = None
    """Seconds."""
    preshared: int = 0
    """Name of the preshared key that it was agreed with; 0: the configured one."""


class AnswerUnused(Struct, frozen=True):
    """A peer asks for a handshake again and hasn't used our answers: they were lost, or its preshared key is another."""

    public_key: bytes
    answers: int
    """How many in a row."""


class HandshakeStale(Struct, frozen=True):
    """A peer does not answer although we have something to say: the tunnel is dead for it."""

    public_key: bytes
    age: float | None = None
    """Seconds since its last handshake; None: never one."""


class HandshakeFlood(Struct, frozen=True):
    """More handshakes in a second from one IPv4 address or IPv6 /64 than anybody needs; at most 16 of these a second.

    One that isn't proven may come from somebody who forges that address: nobody should be blamed for it.
    """

    endpoint: tuple[str, int]
    """Address and port that the last of them came from."""
    proven: bool
    """Who sends them also gets what is sent there."""
    handshakes: int
    """How many within that second."""


class PathFound(Struct, frozen=True):
    """The largest packet that the way to a peer carries is known, or is another one."""

    public_key: bytes
    mtu: int | None
    """Bytes of the IP packet outside; None: the far end answers no echo, so that it can't be known."""
    over6: bool = False
    """Whether the way is by IPv6."""


class EngineDown(Struct, frozen=True):
    """The data plane has ended."""

    reason: str | None = None
    """None: it was asked to."""


EngineEvent = EngineUp | HandshakeDone | HandshakeStale | AnswerUnused | HandshakeFlood | EngineDown | PathFound


class PeerCounters(Struct, frozen=True):
    """One peer's counters, as `wg show` has them."""

    public_key: bytes
    endpoint: tuple[str, int] | None
    last_handshake: float | None
    """Unix time."""
    rx_bytes: int
    tx_bytes: int


class Counters(Struct, frozen=True):
    """Counters since the start; bytes of WireGuard packets, as `wg show` counts them."""

    rx_bytes: int = 0
    tx_bytes: int = 0
    last_handshake: float | None = None
    peers: tuple[PeerCounters, ...] = ()

    def of(self, public_key: bytes | None) -> PeerCounters | None:
        """One peer's; None: there is no such peer."""
        return next((peer for peer in self.peers if peer.public_key == public_key), None)


class Engine(Protocol):
    """The data plane. Commands are rare, events few, counters polled."""

    async def apply(self, config: EngineConfig | None) -> None:
        """Make `config` the whole desired state; None stops it and removes the interface. Idempotent.

        Sessions of unchanged peers live on; every peer with an endpoint is sent a handshake at once, so that
        `HandshakeDone` follows without traffic. A data plane that had died is started anew. Raises `EngineError`.
        """

    async def rebind(self) -> None:
        """Fresh UDP sockets on whatever network the host is on now; sessions are kept. Raises `EngineError`."""

    def counters(self) -> Counters:
        """Counters as of now; zeros while stopped."""

    def events(self) -> AsyncIterator[EngineEvent]:
        """Events since the start, across stops and starts. Ends only when its task is cancelled."""


class Rekeying(Protocol):
    """A data plane whose peers' preshared keys can be changed while they talk."""

    async def set_preshared_keys(
        self, public_key: bytes, keys: Sequence[tuple[int, bytes | None]], *, initiate: bool = False
    ) -> None:
        """Give a peer these preshared keys from its next handshake on; its session lives on.

        Each key has a name, told by `HandshakeDone`; None is "no preshared key". The first is in force: handshakes are
        answered with it, and with the next one while the answers aren't used. In answers to us any of them is accepted.
        They hold through `apply` until that has another preshared key for the peer, and are gone when the engine is.
        `initiate`: ask for a handshake at once. Raises `EngineError`.
        """


class Measuring(Protocol):
    """A data plane that finds what paths carry."""

    async def probe_path(self, public_key: bytes, targets: Sequence[tuple[str, str]], ceiling: int) -> None:
        """Find the path MTU to a peer from now on, told by `PathFound`, up to `ceiling`, what the host's link carries.

        `targets`: our address in the tunnel and one of the far end's, of the same family each; none: no longer. The same
        again changes nothing; it begins anew by itself when the peer moves, and with `rebind`. Raises `EngineError`.
        """


class RekeyingEngine(Engine, Rekeying, Measuring, Protocol):
    """All that one tunnel needs."""


class Changing(Protocol):
    """A data plane with many peers, of which few change at a time."""

    async def change_peers(self, *, remove: Sequence[bytes] = (), put: Sequence[PeerConfig] = ()) -> None:
        """Remove the peers with these keys, then add or change those, in one step; all others stay as they are.

        Nobody is sent a handshake, and `alternatives` are none. Raises `EngineError`, also before the first `apply`.
        """
