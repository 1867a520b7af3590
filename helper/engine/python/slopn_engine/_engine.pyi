# ruff: noqa: PYI021 - the native module's documentation has no other place
"""Types of the native module. Calls release the GIL and may be made from any thread."""

from typing import Self, final

class EngineError(Exception):
    """The engine could not be made or changed: the cause is in the message, no key ever is."""

@final
class Event:
    """Something that the engine tells its owner. One of the classes within."""

    @final
    class Up(Event):
        """The first configuration is in force."""

        __match_args__ = ()
        def __new__(cls) -> Self: ...

    @final
    class Handshake(Event):
        """A session with a peer was agreed, anew or by rekeying."""

        __match_args__ = ("public_key", "rtt", "preshared")
        def __new__(cls, public_key: bytes, rtt: float | None, preshared: int = 0) -> Self: ...
        @property
        def public_key(self) -> bytes:
            """32 bytes."""
        @property
        def rtt(self) -> float | None:
            """Seconds from our initiation to the answer; None if the peer initiated."""
        @property
        def preshared(self) -> int:
            """Name of the preshared key that the session was agreed with; 0: the configured one."""

    @final
    class Unused(Event):
        """A peer asks for a handshake and hasn't used our last answers: they are lost, or its preshared key is another.

        Told with each initiation but the first.
        """

        __match_args__ = ("public_key", "answers")
        def __new__(cls, public_key: bytes, answers: int) -> Self: ...
        @property
        def public_key(self) -> bytes:
            """32 bytes."""
        @property
        def answers(self) -> int:
            """How many, without the one that is being given."""

    @final
    class Stale(Event):
        """A peer doesn't answer handshakes, and nothing else of it has come for 10 s; again every 15 s while that lasts.

        Told 15 s after the first handshake. A peer with an endpoint that leaves data unanswered is asked after 11 s and
        given up after 18 s, up to 22 s where its answers take long. It takes a reason to try: packets to send, a
        keepalive, a session to renew, another network, or `initiate`.
        """

        __match_args__ = ("public_key", "age")
        def __new__(cls, public_key: bytes, age: float | None) -> Self: ...
        @property
        def public_key(self) -> bytes:
            """32 bytes."""
        @property
        def age(self) -> float | None:
            """Seconds since the last handshake with it; None: never one."""

    @final
    class Roamed(Event):
        """Authenticated packets of a peer came from an address that wasn't its endpoint until now."""

        __match_args__ = ("public_key", "endpoint")
        def __new__(cls, public_key: bytes, endpoint: tuple[str, int]) -> Self: ...
        @property
        def public_key(self) -> bytes:
            """32 bytes."""
        @property
        def endpoint(self) -> tuple[str, int]:
            """Address and port."""

    @final
    class Flooded(Event):
        """More than 50 handshake messages came within a second from one IPv4 address or IPv6 /64; at most 16 of these a second.

        All of them were made by somebody who knows our public key. An address that isn't proven may be forged: nobody
        should be blamed for it.
        """

        __match_args__ = ("endpoint", "proven", "handshakes")
        def __new__(cls, endpoint: tuple[str, int], proven: bool, handshakes: int) -> Self: ...
        @property
        def endpoint(self) -> tuple[str, int]:
            """Address and port that the last of them came from."""
        @property
        def proven(self) -> bool:
            """Who sends them also gets what is sent there: they carried our cookie."""
        @property
        def handshakes(self) -> int:
            """How many within that second."""

    @final
    class PathMtu(Event):
        """The largest packet that the way to a peer carries is known, or is another one than before. See `probe_path`."""

        __match_args__ = ("public_key", "over6", "mtu")
        def __new__(cls, public_key: bytes, over6: bool, mtu: int | None) -> Self: ...
        @property
        def public_key(self) -> bytes:
            """32 bytes."""
        @property
        def over6(self) -> bool:
            """Whether the way is by IPv6: then WireGuard adds 80 bytes to a packet, else 60."""
        @property
        def mtu(self) -> int | None:
            """Bytes of the IP packet outside; None: the far end answers no echo, so that it can't be known."""

    @final
    class Log(Event):
        """A line for the log."""

        __match_args__ = ("level", "text")
        def __new__(cls, level: str, text: str) -> Self: ...
        @property
        def level(self) -> str:
            """`debug`, `info`, `warning` or `error`."""
        @property
        def text(self) -> str:
            """One line; no key but the beginning of public ones."""

    @final
    class Down(Event):
        """The engine has ended by itself: its device was deleted, its UAPI socket removed, a thread failed.

        The last event. `close` is still to be called.
        """

        __match_args__ = ("reason",)
        def __new__(cls, reason: str) -> Self: ...
        @property
        def reason(self) -> str:
            """A sentence."""

@final
class PeerCounters:
    """What one peer has sent and got, as `wg show` counts it."""

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
    @property
    def endpoint(self) -> tuple[str, int] | None:
        """Where it is now; None: not known yet."""
    @property
    def last_handshake_ns(self) -> int | None:
        """Unix time in nanoseconds; None: never one."""
    @property
    def rx_bytes(self) -> int:
        """UDP payload received from it and authenticated, handshakes included."""
    @property
    def tx_bytes(self) -> int:
        """UDP payload sent to it, handshakes included."""

@final
class Counters:
    """Everything that is counted, since the engine was made."""

    @property
    def rx_bytes(self) -> int:
        """Sum over the present peers."""
    @property
    def tx_bytes(self) -> int:
        """Sum over the present peers."""
    @property
    def peers(self) -> list[PeerCounters]:
        """In the order of their keys."""
    @property
    def losses(self) -> dict[str, int]:
        """Packets lost, by reason: `tx_unroutable`, `tx_no_endpoint`, `rx_invalid`, `rx_foreign_source`,
        `recv_errors`, `tun_write_errors`, `send_ENETUNREACH` and other errnos that occurred, `send_other`; also
        `cookies_sent`, and `gso_refused` (datagrams that were sent, though one by one).
        """

@final
class MemoryTun:
    """A device that stays in this process: for tests, and where the system has none to give. For one engine at a time."""

    def __init__(self) -> None: ...
    def send(self, packet: bytes) -> bool:
        """Gives the engine an IP packet; False: it is lost, since 4,096 wait."""

    def receive(self, timeout: float = 0.0) -> bytes | None:
        """An IP packet from the engine; None: none came within so many seconds."""

@final
class Engine:
    """A WireGuard data plane with a TUN device of its own. Needs CAP_NET_ADMIN.

    Sockets are opened in the network namespace of the thread that calls `apply` or `rebind`; the device is made in
    that of the thread that makes the engine, and may be moved.
    """

    def __init__(
        self,
        interface: str,
        *,
        mtu: int = 1420,
        offload: bool = True,
        uapi: bool = ...,
        rekey_after: float | None = None,
        device: str | MemoryTun | None = None,
        address: str | None = None,
    ) -> None:
        """Makes the device and starts the threads; nothing is sent or accepted before `apply`.

        `mtu`: of the device; later changes are followed, in whichever namespace it is. `offload`: use vnet_hdr and
        segmentation where the kernel gives them. `uapi`: serve `/var/run/wireguard/INTERFACE.sock`, for `wg`.
        `rekey_after`: seconds until the initiator renews a session, for tests; the protocol says 120.
        `device`: None is the usual one, /dev/net/tun on Linux and Wintun on Windows, which has `wintun` and `tap`
        (TAP-Windows6, its driver installed) to choose from; a `MemoryTun` stays in this process. `address`: of the TAP
        adapter, `10.0.0.2/32`, which its own DHCP server gives it. `uapi`: by default on Unix, and only there.

        Raises `EngineError`, or `ValueError` for arguments that make no sense.
        """

    def apply(
        self,
        private_key: bytes,
        listen_port: int | None,
        fwmark: int | None,
        bind_device: str | None,
        peers: list[tuple[bytes, tuple[str, int] | None, list[str], bytes | None, int | None]],
        initiate: bool,
        alternatives: dict[bytes, list[tuple[str, int]]] | None = None,
    ) -> None:
        """Makes this the whole desired state.

        Each peer is public key, endpoint (IP literal and port), allowed IPs, preshared key, keepalive in seconds.
        Peers that stay are changed in place and keep their sessions, unless the private key is another one; a
        changed preshared key counts from the next handshake on. A prefix that two peers claim goes to the later.
        `initiate`: send a handshake to every peer with an endpoint at once, whether it has a session or not.
        `alternatives`: by public key, other addresses of a peer that has an endpoint. Each initiation goes to them
        too, 250 ms apart, while nothing comes, and at once where the host has no way to the one before; the answer's
        source becomes the endpoint. A session that works stays at the address where it is, if that is one of these.

        Raises `EngineError` with everything as it was (a port in use, a device that isn't there), `ValueError` for
        a malformed key, address or prefix.
        """

    def change_peers(
        self,
        remove: list[bytes],
        put: list[tuple[bytes, tuple[str, int] | None, list[str], bytes | None, int | None]],
    ) -> None:
        """Removes these peers, then adds or changes those (each as in `apply`); all others stay as they are.

        Nobody is sent a handshake. It is one change: no packet meets it halfway. Takes a small part of what `apply` takes
        with thousands of peers. Raises `EngineError` before the first `apply`, `ValueError` for a malformed key, address
        or prefix.
        """

    def set_preshared_keys(
        self, public_key: bytes, keys: list[tuple[int, bytes | None]], *, initiate: bool = False
    ) -> None:
        """Gives a peer these preshared keys, from the next handshake on; the running session isn't touched.

        Each key has a name, for `Event.Handshake`; a key of None is "no preshared key". The first is in force: `wg`
        shows it, and handshakes are answered with it; while the peer doesn't use our answers, the next one is tried for
        each. In answers to our own handshakes any of them is accepted. So a key is changed without a failing handshake: one
        side adds the new one behind the old, the other puts it before the old, and both drop the old one.
        They hold through `apply` until that has another preshared key for this peer than it had before, and are gone
        with the engine. `initiate`: ask for a handshake at once.

        Raises `EngineError` for a peer that isn't there and for an empty list, `ValueError` for a malformed key.
        """

    def rebind(self) -> None:
        """Fresh UDP sockets, on the same port if one was asked for, else on another. Sessions are kept.

        Every peer with an endpoint is sent a message at once, so that it learns our new address, and asked for a
        handshake while it then stays silent, for 5 s. While the host has no way to it, its other addresses are tried, and all
        of them again each 50 ms for 5 s. Raises `EngineError`.
        """

    def set_mtu(self, mtu: int) -> None:
        """Sets the device's MTU, wherever it is. Raises `EngineError`."""

    def probe_path(
        self,
        public_key: bytes,
        targets: list[tuple[str, str]],
        ceiling: int,
        *,
        raise_after: float | None = None,
    ) -> None:
        """Measures the path MTU to this peer from now on, told by `Event.PathMtu`: by echoes in the tunnel, padded outside.

        `targets`: our own address inside and one of the far end's, of the same family each, the best first; an engine like
        this one answers at any address, another WireGuard server at its own. None: no longer. `ceiling`: what the host's
        link carries, in bytes. `raise_after`: seconds from one try of more than was found to the next, 60 by default.
        The same again changes nothing. It begins anew when the peer moves to another address, and with `rebind`.

        Raises `EngineError` when closed, `ValueError` for addresses that are none, or of two families.
        """

    def counters(self) -> Counters:
        """Counters as of now. Raises `EngineError` when closed."""

    def fileno(self) -> int:
        """A descriptor that is readable while there are events; valid as long as this object, even when closed. Unix only."""

    def wait(self, timeout: float) -> bool:
        """Whether there are events, waiting for one for so many seconds at most; other threads go on meanwhile."""

    def next_events(self) -> list[Event]:
        """Takes all events that have gathered, oldest first. Never waits."""

    def close(self) -> None:
        """Ends the threads and removes the device; returns when both is done. Idempotent."""

    @property
    def interface(self) -> str:
        """The name that it was made with."""

    @property
    def luid(self) -> int | None:
        """The number by which Windows knows the device (NET_LUID), else None. Raises `EngineError` when closed."""

    @property
    def listen_port(self) -> int:
        """The port in use; 0 before the first `apply`. Raises `EngineError` when closed."""
