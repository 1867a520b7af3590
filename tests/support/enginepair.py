"""Engines of this process in namespaces of their own: one server, any number of clients around it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self, TypeVar

from slopn_engine import Engine, Event
from support.gateway import Keys
from support.netns import Namespace, veth
from support.until import until

PORT = 51820
"""Of the server."""

Peer = tuple[bytes, tuple[str, int] | None, list[str], bytes | None, int | None]
E = TypeVar("E", bound=Event)


@dataclass
class End:
    """One engine, its keys and its namespace. Number 0 is the server; `inner4` and `inner6` are its addresses inside."""

    number: int
    namespace: Namespace
    engine: Engine
    keys: Keys = field(default_factory=Keys.new)
    seen: list[Event] = field(default_factory=list)

    @property
    def inner4(self) -> str:
        """Its IPv4 address in the tunnel."""
        return f"10.98.0.{self.number + 1}"

    @property
    def inner6(self) -> str:
        """Its IPv6 address in the tunnel."""
        return f"fd98::{self.number + 1}"

    @property
    def outer4(self) -> str:
        """Its address on the wire; the server has one on each client's wire."""
        return f"10.99.{self.number}.1"

    @property
    def public(self) -> bytes:
        """Its public key."""
        return base64.b64decode(self.keys.public)

    def close(self) -> None:
        """End whichever engine it has now."""
        self.engine.close()

    def as_peer(
        self, endpoint: tuple[str, int] | None = None, *, extra: tuple[str, ...] = (), psk: bytes | None = None
    ) -> Peer:
        """What the other side is told of it."""
        keepalive = 25 if endpoint else None
        return (self.public, endpoint, [f"{self.inner4}/32", f"{self.inner6}/128", *extra], psk, keepalive)

    def apply(self, *peers: Peer, port: int | None = None, fwmark: int | None = None, initiate: bool = True) -> None:
        """Configure the engine, its sockets in its own namespace."""
        with self.namespace.entered():
            self.engine.apply(base64.b64decode(self.keys.private), port, fwmark, None, list(peers), initiate)

    def reconnect(self, server: End, endpoint: tuple[str, int]) -> None:
        """Ask for handshakes until `server` answers pings."""

        def answered() -> bool:
            self.apply(server.as_peer(endpoint))
            return self.pings(server.inner4)

        until(answered, 15, "the tunnel works again")

    def rebind(self) -> None:
        """Fresh sockets in its own namespace."""
        with self.namespace.entered():
            self.engine.rebind()

    def events(self, kind: type[E]) -> list[E]:
        """All events of that kind since the start."""
        self.seen += self.engine.next_events()
        return [event for event in self.seen if isinstance(event, kind)]

    def logs(self) -> str:
        """All log lines since the start."""
        return "\n".join(event.text for event in self.events(Event.Log))

    def handshakes(self, other: End) -> int:
        """How many sessions it has agreed with `other`."""
        return sum(event.public_key == other.public for event in self.events(Event.Handshake))

    def last_key(self) -> int | None:
        """Name of the preshared key that the last session was agreed with."""
        handshakes = self.events(Event.Handshake)
        return handshakes[-1].preshared if handshakes else None

    def loss(self, name: str) -> int:
        """One of the engine's loss counters."""
        return self.engine.counters().losses.get(name, 0)

    def pings(self, address: str, options: str = "-c1 -W1") -> bool:
        """Whether every ping is answered."""
        done = self.namespace.run(f"ping {options} {address}", check=False, timeout=60)
        return done.returncode == 0 and " 0% packet loss" in done.stdout

    def wait_ping(self, address: str, timeout: float = 10.0) -> None:
        """Wait until a ping is answered."""
        until(lambda: self.pings(address), timeout, f"{address} answers a ping from {self.namespace.role}")


class Star:
    """A server and `clients` of it, each on a wire of its own: 10.99.N.1 for the client, 10.99.N.254 for the server.

    IPv6 underneath: fd99:N::1 and fd99:N::fe. Engines are made, not configured; up while entered.
    """

    def __init__(
        self,
        clients: int = 1,
        *,
        interface: str = "wgt0",
        offload: bool = True,
        rekey_after: float | None = None,
        uapi: bool = False,
    ) -> None:
        """`uapi`: `wg` works on the first client's interface, so that its name must be one that nobody else has."""
        self._uapi = uapi
        self._count = clients
        self._interface = interface
        self._offload = offload
        self._rekey_after = rekey_after
        self._stack = contextlib.ExitStack()
        self.ends: list[End] = []

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for number in range(self._count + 1):
                namespace = stack.enter_context(Namespace("server" if number == 0 else f"client{number}"))
                end = End(number, namespace, self._engine(number, namespace))
                stack.callback(end.close)
                self.ends.append(end)
                self._address(end)
                if number:
                    self._wire(number)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def server(self) -> End:
        """In the middle."""
        return self.ends[0]

    @property
    def clients(self) -> list[End]:
        """Around it."""
        return self.ends[1:]

    def connect(self, *, over6: bool = False) -> None:
        """Configure both sides and wait for every client's handshake."""
        self.server.apply(*(client.as_peer() for client in self.clients), port=PORT)
        for client in self.clients:
            client.apply(self.server.as_peer(self.address(client, over6=over6)))
        server = self.server

        def agreed() -> bool:
            return all(client.handshakes(server) and server.handshakes(client) for client in self.clients)

        until(agreed, 10, "everyone's first handshake")

    def address(self, client: End, *, over6: bool = False) -> tuple[str, int]:
        """Where the server listens on this client's wire."""
        return (f"fd99:{client.number}::fe" if over6 else f"10.99.{client.number}.254", PORT)

    def restart(self, end: End) -> None:
        """As after a crash: another engine, with the same keys, that knows nothing. It isn't configured."""
        end.engine.close()
        end.engine = self._engine(end.number, end.namespace)
        end.seen.clear()
        self._address(end)

    def _engine(self, number: int, namespace: Namespace) -> Engine:
        uapi = self._uapi and number == 1
        with namespace.entered():
            return Engine(self._interface, offload=self._offload, uapi=uapi, rekey_after=self._rekey_after)

    def _address(self, end: End) -> None:
        end.namespace.ip(
            f"""addr add {end.inner4}/24 dev {self._interface}
            -6 addr add {end.inner6}/64 dev {self._interface}
            link set {self._interface} up"""
        )

    def _wire(self, number: int) -> None:
        server, client = self.server.namespace, self.ends[number].namespace
        veth(server, f"ve{number}", client, "ve0")
        server.ip(f"addr add 10.99.{number}.254/24 dev ve{number}\n-6 addr add fd99:{number}::fe/64 dev ve{number}")
        client.ip(f"addr add 10.99.{number}.1/24 dev ve0\n-6 addr add fd99:{number}::1/64 dev ve0")


def transfer(source: Namespace, target: Namespace, address: str, size: int, timeout: float = 60.0) -> None:
    """Send `size` random bytes by TCP from `source` to `address` of `target`; raises unless they arrive whole."""
    data = secrets.token_bytes(1 << 16) * (size >> 16)
    with target.entered():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server((address, 0), family=family)
    with source.entered():
        sender = socket.socket(family)
    digests: list[str] = []

    def receive() -> None:
        connection, _ = listener.accept()
        with connection:
            digest = hashlib.sha256()
            while chunk := connection.recv(1 << 20):
                digest.update(chunk)
            digests.append(digest.hexdigest())

    with listener, sender:
        listener.settimeout(timeout)
        sender.settimeout(timeout)
        thread = threading.Thread(target=receive, daemon=True)
        thread.start()
        sender.connect(listener.getsockname()[:2])
        sender.sendall(data)
        sender.shutdown(socket.SHUT_WR)
        thread.join(timeout)
    assert digests == [hashlib.sha256(data).hexdigest()], f"{size} bytes did not arrive whole at {address}"


@contextlib.contextmanager
def sniffing(namespace: Namespace, device: str) -> Iterator[list[bytes]]:
    """Collect what comes in on or goes out of `device`, without its link-layer header, while entered."""
    packets: list[bytes] = []
    with namespace.entered():
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    with sniffer:
        sniffer.bind((device, 3))
        sniffer.settimeout(0.05)
        ended = threading.Event()

        def collect() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    packets.append(sniffer.recv(1 << 16))

        thread = threading.Thread(target=collect, daemon=True)
        thread.start()
        try:
            yield packets
        finally:
            ended.set()
            thread.join(5)
