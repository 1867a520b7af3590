"""What a program at the socket says before TLS. A client reads it before it knows more than the other end's user."""

from __future__ import annotations

import random

import msgspec

from fuzz import shapes
from fuzz.bytestream import Feed
from slopn_wire.codec import encode, greeting_decoder
from slopn_wire.events import ErrorKind, Refused
from slopn_wire.framing import Deframer, FrameTooLarge, frame
from slopn_wire.greeting import MAX_GREETING, Greeting


def target(data: bytes) -> None:
    """At most `MAX_GREETING` bytes wait for their end; a greeting survives the way back."""
    feed = Feed(data)
    step = 1 + feed.number(255)
    frames = Deframer(MAX_GREETING)
    held = 0
    while feed:
        chunk = feed.take(step)
        held += len(chunk)
        try:
            for payload in frames.feed(chunk):
                held -= len(frame(payload))
                greeting = greeting_decoder.decode(payload)
                assert greeting_decoder.decode(encode(greeting)) == greeting
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, FrameTooLarge):
            return
        assert held < MAX_GREETING + 4, "a frame that is whole wasn't handed out"


def greetings() -> list[bytes]:
    """One that welcomes and one that doesn't, without their frames."""
    welcome = Greeting(version="1.2.3", authority="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    refusal = Greeting(refused=Refused(ErrorKind.LIMITED, "Too many tries; wait 3 seconds."))
    return [encode(welcome), encode(refusal)]


def seeds() -> list[bytes]:
    """One that welcomes, one that doesn't, one with half of another behind it."""
    made = [frame(raw) for raw in greetings()]
    return [b"\xff" + made[0], b"\x03" + made[1], b"\x20" + made[0] + made[1][:9]]


def build(chance: random.Random) -> bytes:
    """A helper's first words, more or less."""
    return shapes.stream(chance, greetings(), 1, (b"\xff\xff\xff\xff", b"\x16\x03\x01"))
