"""Both ends of the preshared key's protocol, engines that hold several keys, and a network that does as it likes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from slopn_helper.psk.client import Client
from slopn_helper.psk.gateway import Gateway
from slopn_helper.psk.kem import CIPHERTEXT, ENCAPSULATION_KEY, Kem, MlKem768
from slopn_helper.psk.outputs import Gate, Output, Send, SetKeys
from slopn_helper.psk.schedule import Pair

Key = bytes | None


class ToyKem:
    """Of the right sizes and quick; nothing secret about it. What it encapsulates is new each time."""

    def __init__(self) -> None:
        self._count = 0

    def public(self, seed: bytes) -> bytes:
        """The seed's digest, and zeros."""
        return hashlib.sha256(seed).digest().ljust(ENCAPSULATION_KEY, b"\0")

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """The secret is a digest of both sides' bytes."""
        self._count += 1
        ciphertext = self._count.to_bytes(8, "big").ljust(CIPHERTEXT, b"\0")
        return hashlib.sha256(public + ciphertext).digest(), ciphertext

    def decapsulate(self, seed: bytes, ciphertext: bytes) -> bytes:
        """As encapsulated."""
        return hashlib.sha256(self.public(seed) + ciphertext).digest()


class Chance:
    """Bytes that differ each time."""

    def __init__(self, name: bytes) -> None:
        self._name = name
        self._count = 0

    def __call__(self, size: int) -> bytes:
        """So many."""
        self._count += 1
        return hashlib.shake_256(self._name + self._count.to_bytes(8, "big")).digest(size)


def private(name: str) -> bytes:
    """A private key of WireGuard's."""
    return hashlib.sha256(name.encode()).digest()


def public(name: str) -> bytes:
    """Its public key."""
    return X25519PrivateKey.from_private_bytes(private(name)).public_key().public_bytes_raw()


@dataclass
class Host:
    """One end: the machine, and what its engine holds, as helper/engine/src/preshared.rs treats it."""

    side: Client | Gateway
    base: Key
    keys: list[tuple[int, Key]] = field(default_factory=list)
    turn: int | None = None
    unused: int = 0
    gate: bool = True
    asks: bool = False
    sent: list[bytes] = field(default_factory=list)
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = [(0, self.base)]
        self.gate = self.side.gate

    def do(self, outputs: Iterable[Output]) -> None:
        """Carry out what the machine asks for."""
        for output in outputs:
            match output:
                case Send(datagram=datagram):
                    self.sent.append(datagram)
                case SetKeys(keys=keys, initiate=initiate):
                    self.keys = list(keys)
                    self.turn = None
                    self.asks = self.asks or initiate
                case Gate(open=is_open):
                    self.gate = is_open

    def label(self, key: Key) -> int | None:
        """Its name here, if it counts."""
        return next((label for label, held in self.keys if held == key), None)


class World:
    """A client, a gateway, a tunnel between them."""

    def __init__(self, *, demanded: bool = False, base: Key = None, kem: type[ToyKem | MlKem768] = ToyKem) -> None:
        self.now = 1000.0
        self.base = base
        self.demanded = demanded
        self._kem = kem
        self._starts = 0
        self.wire: list[tuple[str, bytes]] = []
        self.session: Key = None
        self.has_session = False
        self.failures = 0
        self.client = self.start_client()
        self.gateway = self.start_gateway()

    def start_client(self) -> Host:
        """As after a crash: it knows the configuration alone."""
        self._starts += 1
        pair = Pair(private("client"), public("gateway"), client=True)
        chance = Chance(b"client%d" % self._starts)
        kem: Kem = self._kem()
        self.client = Host(Client(pair, self.base, chance, demanded=self.demanded, kem=kem), self.base)
        self.has_session = False
        return self.client

    def start_gateway(self) -> Host:
        """As after a crash."""
        self._starts += 1
        pair = Pair(private("gateway"), public("client"), client=False)
        chance = Chance(b"gateway%d" % self._starts)
        kem: Kem = self._kem()
        self.gateway = Host(Gateway(pair, self.base, chance, demanded=self.demanded, kem=kem), self.base)
        self.has_session = False
        return self.gateway

    def collect(self) -> None:
        """Put on the wire what was sent; without a session it goes nowhere."""
        for name, host in (("gateway", self.client), ("client", self.gateway)):
            if self.has_session:
                self.wire += [(name, datagram) for datagram in host.sent]
            host.sent.clear()

    def deliver(self, index: int, *, keep: bool = False) -> None:
        """Hand over one datagram; with `keep` it comes once more later."""
        to, datagram = self.wire[index] if keep else self.wire.pop(index)
        if self.has_session:
            host = self.client if to == "client" else self.gateway
            host.do(host.side.received(datagram, self.now))
            self.collect()

    def handshake(self, *, by_client: bool = True, answered: bool = True) -> bool:
        """One initiation and what becomes of it; without `answered` the answer is lost."""
        asks, answers = (self.client, self.gateway) if by_client else (self.gateway, self.client)
        asks.asks = False
        turn = 0 if answers.turn is None else answers.turn + 1
        answers.turn = turn
        _, key = answers.keys[turn % len(answers.keys)]
        if turn and isinstance(answers.side, Gateway):
            answers.do(answers.side.unused(turn))
        label = asks.label(key)
        if not answered or label is None:
            self.failures += answered
            self.collect()
            return False
        theirs = answers.label(key)
        asks.turn = answers.turn = None
        self.session, self.has_session = key, True
        asks.do(asks.side.handshake(label, self.now))
        answers.do(answers.side.handshake(99999 if theirs is None else theirs, self.now))
        self.collect()
        return True

    def pass_time(self, seconds: float) -> None:
        """Time passes, and the client does what is due."""
        self.now += seconds
        client = self.client.side
        assert isinstance(client, Client)
        self.client.do(client.tick(self.now))
        self.collect()

    def stale(self) -> None:
        """The client's engine says that nobody answers."""
        client = self.client.side
        assert isinstance(client, Client)
        self.client.do(client.stale())
        self.collect()

    def calm(self, seconds: float) -> float | None:
        """Nothing is lost any more, and WireGuard does as it does: seconds until both ends are protected, at most so many.

        Initiations leave when one was asked for or there is no session: every 5 s; `stale` comes 15 s after the first
        that wasn't answered.
        """
        began, silent_since, last = self.now, None, -10.0
        while self.now - began <= seconds:
            while self.wire:
                self.deliver(0)
            if self.is_protected():
                return self.now - began
            if (self.client.asks or not self.has_session) and self.now - last >= 5.0:
                last = self.now
                began_silent = self.now if silent_since is None else silent_since
                silent_since = None if self.handshake() else began_silent
            if silent_since is not None and self.now - silent_since >= 15.0:
                silent_since = self.now
                self.stale()
            self.pass_time(0.5)
        return None

    def is_protected(self) -> bool:
        """Both ends have the same key of the protocol in force, and a session with it."""
        return (
            self.has_session
            and self.client.side.status.protected
            and self.gateway.side.status.protected
            and self.client.keys[0][1] == self.gateway.keys[0][1] == self.session
            and self.client.gate
            and self.gateway.gate
        )
