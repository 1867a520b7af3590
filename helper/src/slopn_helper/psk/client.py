"""The client's end: it offers, and says when. Without I/O; time is any steady clock's, chance is passed in."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from slopn_helper.psk import INTERVAL
from slopn_helper.psk.kem import SEED, Kem
from slopn_helper.psk.messages import Accept, Confirm, Done, Exchange, Offer, decode, encode
from slopn_helper.psk.outputs import Gate, Label, Output, Send
from slopn_helper.psk.schedule import Agreement, Chain, Pair, same
from slopn_helper.psk.side import Side

AGAIN = (0.5, 1.0, 2.0, 4.0)
"""Seconds until a datagram is sent again; the last one from then on."""

PATIENCE = 15.0
"""Seconds that one stage of an exchange may take."""

PAUSES = (15.0, 30.0, 60.0, 120.0)
"""Seconds from exchanges that were given up to the next, the last one from then on."""

PAUSE_CLOSED = 5.0
"""The same while the gate is closed: somebody waits."""

HANDSHAKE_AGAIN = 5.0
"""Seconds until a handshake under the new key is asked for again."""


class Stage(Enum):
    """Where the client is."""

    WAITING = "waiting"
    """For a first handshake, or for the time of the next exchange."""
    OFFERING = "offering"
    CONFIRMING = "confirming"
    PROVING = "proving"
    """Waiting for a handshake under the new key."""


class _Round(Struct):
    """An exchange under way."""

    chain: Chain
    seed: bytes
    offer: Offer
    datagram: bytes
    ends_at: float
    again_at: float
    stage: Stage = Stage.OFFERING
    tries: int = 0
    agreement: Agreement | None = None
    label: Label = 0

    def __repr__(self) -> str:
        return f"_Round({self.stage.value})"


class Client(Side):
    """One client's end of one tunnel. Every call gives what is to be done, in that order; `deadline` says when to `tick`.

    With `demanded`, the gate is closed to begin with, and whenever the last session has no key of the protocol.
    """

    def __init__(
        self,
        pair: Pair,
        base: bytes | None,
        chance: Callable[[int], bytes],
        *,
        demanded: bool = False,
        kem: Kem | None = None,
    ) -> None:
        super().__init__(pair, base, chance, demanded=demanded, kem=kem)
        self._run = chance(8)
        self._number = 0
        self._round: _Round | None = None
        self._next_at: float | None = None

    def __repr__(self) -> str:
        return f"Client({self.stage.value}, {self._status})"

    @property
    def stage(self) -> Stage:
        """Where it is."""
        return self._round.stage if self._round else Stage.WAITING

    @property
    def deadline(self) -> float | None:
        """When `tick` is due."""
        return self._next_at if self._round is None else min(self._round.again_at, self._round.ends_at)

    def handshake(self, label: Label, now: float) -> list[Output]:
        """A session was agreed under the key of that name."""
        if self._keys.find(label) is None:
            # Under a key that was given up while the answer was on its way.
            return [self._keys.orders(initiate=True)]
        if label == 0:
            return self._bare(now)
        before, gate = self._keys, self.gate
        if self._agreed(label, now):
            self._round = None
            self._next_at = now + INTERVAL
        if label == self._keys.newest:
            # Not even the configured one: who makes us lose a packet must not bring us back to it.
            self._keys = self._keys.only(label, base=False)
        orders: list[Output] = [] if self._keys == before else [self._keys.orders()]
        return orders if gate == self.gate else [*orders, Gate(open=True)]

    def received(self, datagram: bytes, now: float) -> list[Output]:
        """A datagram came out of the tunnel, from the gateway's address and port."""
        message, current = decode(datagram), self._round
        if message is None or current is None or message.exchange != current.offer.exchange:
            return []
        if isinstance(message, Accept) and current.stage is Stage.OFFERING:
            return self._accepted(current, message, now)
        if isinstance(message, Done) and current.agreement is not None and self._keys.first.label != current.label:
            if not same(message.mac, current.agreement.done_mac):
                return []
            self._keys = self._keys.switch(current.label)
            return self._prove(current, now)
        return []

    def stale(self) -> list[Output]:
        """The gateway answers no handshake: it may have been started anew, and know the configured key alone."""
        before, self._keys = self._keys, self._keys.with_base()
        return [] if before == self._keys else [*self._unprotect(), self._keys.orders(initiate=True)]

    def restarted(self) -> list[Output]:
        """Our own engine is another one: it has the configured key, and no session."""
        self._lose()
        self._round = None
        self._next_at = None
        return self._unprotect()

    def tick(self, now: float) -> list[Output]:
        """Time has passed."""
        deadline, current = self.deadline, self._round
        if deadline is None or now < deadline:
            return []
        if current is None:
            return self._begin(now)
        if now >= current.ends_at:
            return self._give_up(current, now)
        return self._prove(current, now) if current.stage is Stage.PROVING else self._say(current, now)

    def _begin(self, now: float) -> list[Output]:
        self._number += 1
        # The key of the session that the offer travels in: the gateway has that one.
        parent = self._keys.find(self._session) or self._keys.first
        chain, seed = self._pair.chain(parent.secret), self._chance(SEED)
        offer = Offer(Exchange(self._run, self._number), chain.tag, self._kem.public(seed), b"")
        offer = replace(offer, mac=chain.offer_mac(offer))
        self._round = _Round(chain, seed, offer, encode(offer), now + PATIENCE, now)
        return self._say(self._round, now)

    def _accepted(self, current: _Round, accept: Accept, now: float) -> list[Output]:
        secret = self._kem.decapsulate(current.seed, accept.ciphertext)
        agreement = current.chain.agree(current.offer, accept, secret)
        if not same(accept.mac, agreement.accept_mac):
            return []
        # First the engine accepts the new key; only then may the gateway take it.
        self._keys = self._keys.expect(agreement.key)
        current.stage, current.label, current.agreement = Stage.CONFIRMING, self._keys.newest, agreement
        current.datagram = encode(Confirm(accept.exchange, agreement.confirm_mac))
        current.seed, current.tries, current.ends_at = b"", 0, now + PATIENCE
        return [self._keys.orders(), *self._say(current, now)]

    def _say(self, current: _Round, now: float) -> list[Output]:
        current.again_at = now + AGAIN[min(current.tries, len(AGAIN) - 1)]
        current.tries += 1
        return [Send(current.datagram)]

    def _prove(self, current: _Round, now: float) -> list[Output]:
        if current.stage is not Stage.PROVING:
            current.stage = Stage.PROVING
            current.ends_at = now + PATIENCE
        current.again_at = now + HANDSHAKE_AGAIN
        return [self._keys.orders(initiate=True)]

    def _give_up(self, current: _Round, now: float) -> list[Output]:
        if current.stage is Stage.CONFIRMING:
            # Whether the gateway has taken the key, a handshake tells.
            return self._prove(current, now)
        self._round = None
        self._next_at = now + (PAUSES[min(self._status.failed, len(PAUSES) - 1)] if self.gate else PAUSE_CLOSED)
        self._status = replace(self._status, failed=self._status.failed + 1)
        return []

    def _bare(self, now: float) -> list[Output]:
        """The session has the configured key."""
        outputs = self._unprotect()
        self._session = 0
        if self._used:
            self._status = replace(self._status, lost=self._status.lost + 1)
            self._lose()
            self._round = None
            outputs.append(self._keys.orders())
        return outputs if self._round else outputs + self._begin(now)
