"""The gateway's end for one device: it answers. Without I/O; time is any steady clock's."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from slopn_helper.psk.kem import Kem
from slopn_helper.psk.messages import NONCE, Accept, Confirm, Done, Exchange, Offer, decode, encode
from slopn_helper.psk.outputs import Gate, Label, Output, Send
from slopn_helper.psk.schedule import Agreement, Chain, Pair, same
from slopn_helper.psk.side import Side

PENDING = 40.0
"""Seconds that an offer may be confirmed: longer than a client tries, shorter than until it forgets that it tried."""

OFFER_PAUSE = 1.0
"""Seconds from one offer that is worked on to the next."""

UNUSED = 2
"""Answers in a row that a device didn't use, until it is taken to have lost its key."""


class _Pending(Struct, frozen=True):
    """An offer that was accepted."""

    offer: bytes
    accept: bytes
    exchange: Exchange
    agreement: Agreement
    at: float

    def __repr__(self) -> str:
        return "_Pending()"


class Gateway(Side):
    """The gateway's end of one device's tunnel. Every call gives what is to be done, in that order; no timer.

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
        self._pending: _Pending | None = None
        self._done: Done | None = None
        self._last: Exchange | None = None
        self._offered_at: float | None = None

    def __repr__(self) -> str:
        return f"Gateway({self._status})"

    def handshake(self, label: Label, now: float) -> list[Output]:
        """A session was agreed under the key of that name."""
        if self._keys.find(label) is None:
            return []
        if label == 0:
            return self._bare()
        before, gate = self._keys, self.gate
        self._agreed(label, now)
        if label == self._keys.newest:
            # A device that was started anew comes with the configured key, and nothing tells us beforehand.
            self._keys = self._keys.only(label, base=not self._status.demanded)
        orders: list[Output] = [] if self._keys == before else [self._keys.orders()]
        return orders if gate == self.gate else [*orders, Gate(open=True)]

    def received(self, datagram: bytes, now: float) -> list[Output]:
        """A datagram came out of the tunnel, from one of the device's own addresses."""
        match decode(datagram):
            case Offer() as offer:
                return self._offered(offer, datagram, now)
            case Confirm() as confirm:
                return self._confirmed(confirm, now)
            case _:
                return []

    def unused(self, answers: int) -> list[Output]:
        """The device asks for handshakes and doesn't use our answers: it may know the configured key alone."""
        if answers < UNUSED or self._keys.find(0) is not None:
            return []
        self._keys = self._keys.with_base().switch(0)
        return [*self._unprotect(), self._keys.orders()]

    def restarted(self) -> list[Output]:
        """Our own engine is another one: it has the configured key, and no session."""
        self._lose()
        self._pending = None
        return self._unprotect()

    def _offered(self, offer: Offer, datagram: bytes, now: float) -> list[Output]:
        if self._pending is not None and self._pending.offer == datagram:
            return [Send(self._pending.accept)]
        last = self._last
        if last is not None and last.run == offer.exchange.run and last.number >= offer.exchange.number:
            return []
        if self._offered_at is not None and now < self._offered_at + OFFER_PAUSE:
            return []
        chain = self._parent(offer)
        if chain is None or not same(offer.mac, chain.offer_mac(offer)):
            return []
        try:
            secret, ciphertext = self._kem.encapsulate(offer.public)
        except ValueError:
            return []
        self._offered_at, self._last = now, offer.exchange
        accept = Accept(offer.exchange, self._chance(NONCE), ciphertext, b"")
        agreement = chain.agree(offer, accept, secret)
        answer = encode(replace(accept, mac=agreement.accept_mac))
        self._pending = _Pending(datagram, answer, offer.exchange, agreement, now)
        return [Send(answer)]

    def _parent(self, offer: Offer) -> Chain | None:
        chains = (self._pair.chain(key.secret) for key in self._keys.with_base().keys)
        return next((chain for chain in chains if same(offer.parent, chain.tag)), None)

    def _confirmed(self, confirm: Confirm, now: float) -> list[Output]:
        pending = self._pending
        if pending is None or confirm.exchange != pending.exchange:
            return []
        if not same(confirm.mac, pending.agreement.confirm_mac):
            return []
        answer = Send(encode(Done(pending.exchange, pending.agreement.done_mac)))
        if self._done is not None and self._done.exchange == pending.exchange:
            return [answer]
        if now > pending.at + PENDING:
            return []
        self._done = Done(pending.exchange, pending.agreement.done_mac)
        self._keys = self._keys.replace(pending.agreement.key)
        return [self._keys.orders(), answer]

    def _bare(self) -> list[Output]:
        """The session has the configured key."""
        outputs = self._unprotect()
        self._session = 0
        if self._used:
            self._status = replace(self._status, lost=self._status.lost + 1)
            self._lose()
            self._pending = None
            outputs.append(self._keys.orders())
        return outputs
