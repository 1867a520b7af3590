"""Below the protocol: bytes that aren't TLS, or aren't the TLS that we want, or don't come."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from attacks.answers import farewell, kind, shut_out
from attacks.field import Field
from attacks.people import Line, Person
from slopn_wire.codec import encode
from slopn_wire.commands import GetSnapshot, Request, RevokeDevice
from slopn_wire.events import Done, ErrorKind, Snapshot
from slopn_wire.framing import frame
from slopn_wire.greeting import HOST
from support.certificates import client_context, use

CLIENT_HELLO = b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03"
"""The beginning of one that is to be 16 KiB long."""


def is_no_tls(field: Field, said: bytes, why: str) -> None:
    """Said after the greeting, by a user who may connect."""
    mallory = field.user()
    with mallory.line() as line:
        line.greeted()
        with contextlib.suppress(OSError):
            line.socket.sendall(said)
        while True:  # an alert of TLS may come first
            try:
                if not line.socket.recv(1 << 16):
                    break
            except ConnectionError:
                break
    field.refused(mallory, why)


def test_plain_text(field: Field) -> None:
    """Requests in plain text, without TLS.

    Not read: what isn't TLS ends the connection.
    """
    is_no_tls(field, frame(encode(Request(1, GetSnapshot()))), "not_tls")


def test_http(field: Field) -> None:
    """A browser is led to the socket, and speaks HTTP.

    What isn't TLS ends the connection.
    """
    is_no_tls(field, b"POST / HTTP/1.1\r\nHost: helper.slopn\r\nContent-Length: 0\r\n\r\n", "not_tls")


def test_garbage(field: Field) -> None:
    """A megabyte of noise.

    What isn't TLS ends the connection at its first bytes.
    """
    is_no_tls(field, bytes([0xFF]) + random.Random(4).randbytes(1 << 20), "not_tls")


def test_broken_handshake(field: Field) -> None:
    """A handshake that begins well and goes on with noise.

    OpenSSL ends it.
    """
    noise = random.Random(4).randbytes(506)
    is_no_tls(field, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise, "handshake")


def test_old_tls(field: Field) -> None:
    """A client that speaks TLS 1.2 at most.

    The handshake fails: TLS 1.3 alone.
    """
    mallory = field.user()
    held = field.pair(mallory)
    with mallory.line() as line:
        context = client_context(line.greeted().authority)
        use(context, held.shown)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(line.socket, server_hostname=HOST)
    field.refused(mallory, "old_tls")


def test_resumed(field: Field) -> None:
    """A front end whose pairing was ended resumes its old TLS session, in which its certificate was good.

    There are no sessions to resume: each connection shows its certificate anew.
    """
    mallory = field.user()
    held = field.pair(mallory)
    context = None
    with mallory.line() as line:
        context = client_context(line.greeted().authority)
        use(context, held.shown)
        first = line.socket = context.wrap_socket(line.socket, server_hostname=HOST)
        assert isinstance(line.ask(GetSnapshot()), Snapshot)
        session = first.session
        assert session is None or not session.has_ticket
    assert field.ask_root(RevokeDevice(held.device)) == Done()
    with mallory.line() as line:
        line.greeted()
        again = line.socket = context.wrap_socket(line.socket, server_hostname=HOST, session=session)
        assert not again.session_reused
        assert kind(line.ask(GetSnapshot())) is ErrorKind.NOT_PAIRED


class Dawdlers(NamedTuple):
    """Four users who are slow, each in another way, until the helper has had enough."""

    handshake: Person
    silent: Person
    half: Person
    drip: Person


@pytest.fixture(scope="module")
def dawdlers(battlefield: Field) -> Iterator[Dawdlers]:
    """All at the same time: the helper waits for ten seconds."""
    with battlefield.endured(), contextlib.ExitStack() as stack:
        people = Dawdlers(*(battlefield.user() for _ in range(4)))
        chains = [battlefield.pair(person).shown for person in people]
        request = frame(encode(Request(1, GetSnapshot())))
        slow = stack.enter_context(people.handshake.line())
        slow.greeted()
        slow.socket.sendall(CLIENT_HELLO)
        silent = stack.enter_context(people.silent.secured(chains[1]))
        half = stack.enter_context(people.half.secured(chains[2]))
        half.socket.sendall(request[:-1])
        drip = stack.enter_context(people.drip.secured(chains[3]))
        _drip(drip, request)
        assert farewell(silent) is ErrorKind.INVALID
        assert farewell(half) is ErrorKind.INVALID
        assert shut_out(slow)
        yield people


def _drip(line: Line, request: bytes) -> None:
    """A byte a second; it would take a minute."""
    line.socket.settimeout(1.0)
    for byte in request:
        line.socket.sendall(bytes([byte]))
        try:
            if line.socket.recv(1 << 14) is not None:
                return
        except TimeoutError:
            pass
    raise AssertionError("the helper has taken it all")


def test_slow_handshake(dawdlers: Dawdlers, battlefield: Field) -> None:
    """Slow loris in the handshake: the beginning of a ClientHello, and no more.

    The helper hangs up after five seconds.
    """
    battlefield.refused(dawdlers.handshake, "handshake_timeout")


def test_silence(dawdlers: Dawdlers, battlefield: Field) -> None:
    """A connection that asks nothing.

    The helper hangs up after ten seconds.
    """
    battlefield.refused(dawdlers.silent, "silent")


def test_half_a_frame(dawdlers: Dawdlers, battlefield: Field) -> None:
    """A request that isn't sent to its end.

    The helper hangs up after ten seconds.
    """
    battlefield.refused(dawdlers.half, "frame_timeout")


def test_slow_frame(dawdlers: Dawdlers, battlefield: Field) -> None:
    """Slow loris in a request: a byte a second.

    A request has ten seconds from its first byte to its last, however many come between.
    """
    battlefield.refused(dawdlers.drip, "frame_timeout")


def test_hanging_up(field: Field) -> None:
    """A connection is cut off at every moment: after each piece of a handshake, of a request, before the answer.

    Nothing stays behind.
    """
    mallory = field.user()
    held = field.pair(mallory)
    for size in (0, 1, 5, 11):
        with mallory.line() as line:
            line.greeted()
            line.socket.sendall(CLIENT_HELLO[:size])
    request = frame(encode(Request(1, GetSnapshot())))
    for size in (0, 1, 4, 5, len(request) - 1, len(request)):
        with mallory.secured(held.shown) as line:
            line.socket.sendall(request[:size])
            line.socket.shutdown(socket.SHUT_RDWR)
    with mallory.secured(held.shown) as line:
        assert isinstance(line.ask(GetSnapshot()), Snapshot)
