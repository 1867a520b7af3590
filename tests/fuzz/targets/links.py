"""The light client's side: whatever says it is the helper, before TLS and within it, the command line has words for it."""

from __future__ import annotations

import functools
import random
import ssl
from typing import Any

from fuzz import shapes
from fuzz.bytestream import Feed
from slopn_app.cli.fold import folded
from slopn_app.link import Link, greet
from slopn_app.trouble import Trouble
from slopn_wire.codec import encode
from slopn_wire.events import ErrorKind, Refused, ServerMessage
from slopn_wire.framing import frame
from slopn_wire.greeting import Greeting
from support.wire import examples


class Wire:
    """A connection on which certain bytes arrive, in pieces of a certain size, and then no more."""

    def __init__(self, data: bytes, size: int) -> None:
        self._feed = Feed(data)
        self._size = size

    def settimeout(self, value: float | None, /) -> None:
        """Never waits."""

    def recv(self, bufsize: int, /) -> bytes:
        """The next piece."""
        return self._feed.take(min(bufsize, self._size))

    def sendall(self, data: bytes, /) -> None:
        """Nobody listens."""

    def close(self) -> None:
        """Nothing to do."""


class OneWire:
    """A transport with one connection."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def connect(self, _path: str, _timeout: float) -> Wire:
        """At once."""
        return self._wire

    def secure(self, stream: Wire, _context: ssl.SSLContext, _name: str) -> Wire:
        """Not at all."""
        return stream


def target(data: bytes) -> None:
    """The first byte chooses: a greeting, or answers within TLS."""
    feed = Feed(data)
    what, size = feed.number(1), 1 + feed.number(255)
    wire = Wire(feed.rest(), size)
    try:
        if what == 0:
            greet(OneWire(wire), "/run/slopn/helper.sock", 10.0)  # type: ignore[arg-type]
        else:
            talk(Link(wire))
    except Trouble as trouble:
        words(trouble)


def words(trouble: Trouble) -> None:
    """What a person is told."""
    assert trouble.kind
    assert all(isinstance(line, str) for line in trouble.lines)


def talk(link: Link) -> None:
    """A question, then what comes by itself, until the end; which is a trouble as well."""
    result = link.ask({"type": "watch"}, 10.0)
    assert isinstance(result["type"], str)
    view: Any = result if result["type"] == "snapshot" else None
    while True:
        message: Any = link.early.pop(0) if link.early else link.receive(None)
        assert message is not None
        if view is not None and message["type"] == "event":
            try:
                view = folded(view, message)
            except (LookupError, TypeError):
                # A helper that isn't believed would not have come this far; a trusted one sends whole events.
                view = None


@functools.cache
def messages() -> tuple[bytes, ...]:
    """Each message once."""
    return tuple(encode(message) for message in examples(ServerMessage))


@functools.cache
def greetings() -> tuple[bytes, ...]:
    """One that welcomes, one that doesn't."""
    welcome = Greeting(version="1.2.3", authority="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return encode(welcome), encode(Greeting(refused=Refused(ErrorKind.LIMITED, "Wait a moment.\nThen try again.")))


def seeds() -> list[bytes]:
    """Greetings and conversations."""
    made = [frame(raw) for raw in messages()]
    return [*(b"\x00\xff" + frame(raw) for raw in greetings()), b"\x01\x07" + b"".join(made[-4:] + made[:6])]


def build(chance: random.Random) -> bytes:
    """A helper's words, more or less."""
    what = chance.randrange(2)
    documents = messages() if what else greetings()
    return bytes([what]) + shapes.stream(chance, documents, 1, (b"\xff\xff\xff\xff", b"\x16\x03\x01"))
