"""The four datagrams, as bytes. An offer fits into the smallest MTU of IPv6 (1280), so that none is ever in fragments."""

from __future__ import annotations

import struct
from typing import ClassVar

from msgspec import Struct

from slopn_helper.psk.kem import CIPHERTEXT, ENCAPSULATION_KEY

VERSION = 1
"""Of the protocol; an end that doesn't know a version stays silent."""

SUITE = 1
"""ML-KEM-768, X25519, HKDF and HMAC with SHA-256."""

LARGEST = 1280 - 40 - 8
"""Bytes of UDP payload that every path of IPv6 takes."""

TAG = 8
"""Bytes that name the key which an exchange starts from."""

OFFER_MAC = 16
NONCE = 16
MAC = 32

_HEAD = struct.Struct(">3sBBB8sQ")
_MAGIC = b"SPK"


class Exchange(Struct, frozen=True):
    """Names one exchange: `number` grows within a `run` of the client."""

    run: bytes
    """8 random bytes, new with each start of the client."""
    number: int


class Offer(Struct, frozen=True):
    """Client to gateway: an encapsulation key, and which key the new one is to follow."""

    KIND: ClassVar[int] = 1
    exchange: Exchange
    parent: bytes
    public: bytes
    mac: bytes


class Accept(Struct, frozen=True):
    """Gateway to client: the secret, encapsulated, and the proof that the gateway has it."""

    KIND: ClassVar[int] = 2
    exchange: Exchange
    nonce: bytes
    ciphertext: bytes
    mac: bytes


class Confirm(Struct, frozen=True):
    """Client to gateway: I accept the new key from now on. Take it."""

    KIND: ClassVar[int] = 3
    exchange: Exchange
    mac: bytes


class Done(Struct, frozen=True):
    """Gateway to client: taken; the next handshake will have it."""

    KIND: ClassVar[int] = 4
    exchange: Exchange
    mac: bytes


Message = Offer | Accept | Confirm | Done

_SIZES: dict[int, tuple[int, ...]] = {
    Offer.KIND: (TAG, ENCAPSULATION_KEY, OFFER_MAC),
    Accept.KIND: (NONCE, CIPHERTEXT, MAC),
    Confirm.KIND: (MAC,),
    Done.KIND: (MAC,),
}


def body(message: Message) -> bytes:
    """The message without its MAC: what the MAC and the transcript are about."""
    head = _HEAD.pack(_MAGIC, VERSION, message.KIND, SUITE, message.exchange.run, message.exchange.number)
    match message:
        case Offer(parent=parent, public=public):
            return head + parent + public
        case Accept(nonce=nonce, ciphertext=ciphertext):
            return head + nonce + ciphertext
        case _:
            return head


def encode(message: Message) -> bytes:
    """The datagram."""
    return body(message) + message.mac


def decode(datagram: bytes) -> Message | None:
    """The message in a datagram; None for whatever isn't exactly one of this version."""
    if len(datagram) < _HEAD.size:
        return None
    magic, version, kind, suite, run, number = _HEAD.unpack_from(datagram)
    sizes = _SIZES.get(kind)
    if (magic, version, suite) != (_MAGIC, VERSION, SUITE) or sizes is None:
        return None
    if len(datagram) != _HEAD.size + sum(sizes):
        return None
    parts, at = [], _HEAD.size
    for size in sizes:
        parts.append(datagram[at : at + size])
        at += size
    exchange = Exchange(run, number)
    match kind:
        case Offer.KIND:
            return Offer(exchange, *parts)
        case Accept.KIND:
            return Accept(exchange, *parts)
        case Confirm.KIND:
            return Confirm(exchange, *parts)
        case _:
            return Done(exchange, *parts)
