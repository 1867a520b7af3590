from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slopn_app import bootstrap, link
from slopn_app.trouble import (
    INCOMPATIBLE,
    INVALID,
    NOT_PAIRED,
    TIMED_OUT,
    UNREACHABLE,
    Trouble,
)
from slopn_helper.ipc.pki import Authority
from slopn_wire import greeting as wire
from slopn_wire.codec import encode
from slopn_wire.events import PROTOCOL, Done, ErrorKind, Lagged, Refused, Reply
from slopn_wire.framing import frame
from slopn_wire.greeting import Greeting
from support.certificates import self_signed, use
from support.fake_helper import FakeHelper
from support.plain_server import server

TIMEOUT = 20.0
TRANSPORT = bootstrap.host().transport


def speaks_tls(authority: Authority, *sent: bytes) -> Callable[[socket.socket], None]:
    """A helper that greets, says `sent` within TLS whatever is asked, and hangs up."""

    def speak(peer: socket.socket) -> None:
        peer.sendall(frame(encode(Greeting(authority=authority.certificate))))
        with authority.server_context().wrap_socket(peer, server_side=True) as secured:
            secured.recv(1 << 16)
            for data in sent:
                secured.sendall(data)

    return speak


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A helper's."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    return Authority.open(state, time.time(), os.geteuid())


@contextlib.contextmanager
def linked(path: str) -> Iterator[link.Link]:
    """A conversation without a certificate."""
    stream, greeting = link.greet(TRANSPORT, path, TIMEOUT)
    conversation = link.secure(TRANSPORT, stream, link.client_context(greeting.authority), TIMEOUT)
    try:
        yield conversation
    finally:
        conversation.close()


def test_the_constants_are_the_wires() -> None:
    """What stands here to spare imports is the same there."""
    assert (PROTOCOL[0], wire.HOST, wire.MAX_GREETING) == (link.PROTOCOL_MAJOR, link.HOST, link.MAX_GREETING)


def test_questions_are_answered_within_tls(helper: FakeHelper) -> None:
    """Without a certificate all but pairing is refused, which is an answer."""
    with linked(helper.path) as conversation:
        answer = conversation.ask({"type": "get_snapshot"}, TIMEOUT)
    assert (answer["type"], answer["kind"]) == ("refused", "not_paired")


def test_a_helper_that_cannot_prove_itself_is_refused(tmp_path: Path, authority: Authority) -> None:
    """Its certificate must be signed by the authority that it greets with."""
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    impostor = Authority.open(other, time.time(), os.geteuid())

    def speak(peer: socket.socket) -> None:
        peer.sendall(frame(encode(Greeting(authority=authority.certificate))))
        impostor.server_context().wrap_socket(peer, server_side=True).close()

    with server(tmp_path, speak) as path, pytest.raises(Trouble, match="can't prove that it is itself"), linked(path):
        pass


def test_tls_below_1_3_is_refused(tmp_path: Path, authority: Authority) -> None:
    """A helper that can't do better is no helper."""

    def speak(peer: socket.socket) -> None:
        peer.sendall(frame(encode(Greeting(authority=authority.certificate))))
        context = authority.server_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.wrap_socket(peer, server_side=True).close()

    with server(tmp_path, speak) as path, pytest.raises(Trouble, match="No safe connection"), linked(path):
        pass


def test_a_hang_up_during_the_handshake_is_unreachable(tmp_path: Path, authority: Authority) -> None:
    """As if it had been killed in that moment."""
    sent = frame(encode(Greeting(authority=authority.certificate)))
    with server(tmp_path, lambda peer: peer.sendall(sent)) as path, pytest.raises(Trouble) as raised, linked(path):
        pass
    assert raised.value.kind == UNREACHABLE


def test_a_wrong_clock_locks_nobody_out(tmp_path: Path) -> None:
    """Authority and certificates are from the future; the handshake is done all the same."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    future = Authority.open(state, time.time() + 50 * 365 * 86400, os.geteuid())
    answer = frame(encode(Reply(1, Done())))
    with server(tmp_path, speaks_tls(future, answer)) as path, linked(path) as conversation:
        assert conversation.ask({"type": "disconnect"}, TIMEOUT)["type"] == "done"


def test_a_certificate_that_tls_refuses_is_not_paired(tmp_path: Path, authority: Authority) -> None:
    """TLS 1.3 tells it by an alert, once the handshake is over for the client."""
    with server(tmp_path, speaks_tls(authority)) as path:
        stream, greeting = link.greet(TRANSPORT, path, TIMEOUT)
        context = link.client_context(greeting.authority)
        use(context, self_signed("0123"))
        conversation = link.secure(TRANSPORT, stream, context, TIMEOUT)
        with pytest.raises(Trouble) as raised:
            conversation.receive(time.monotonic() + TIMEOUT)
        conversation.close()
    assert raised.value.kind == NOT_PAIRED


@pytest.mark.parametrize(
    ("sent", "kind", "line"),
    [
        (b"", UNREACHABLE, "has closed the connection"),
        (b"\x00\x00\x00\x09{", UNREACHABLE, "has closed the connection"),
        (b"\xff\xff\xff\xff", INCOMPATIBLE, "makes no sense"),
        (frame(b"{"), INCOMPATIBLE, "makes no sense"),
        (frame(b"[]"), INCOMPATIBLE, "makes no sense"),
        (frame(b"[" * 100_000), INCOMPATIBLE, "makes no sense"),
        (frame(b'{"type":"reply"}'), INCOMPATIBLE, "makes no sense"),
        (frame(b'{"type":"reply","id":1,"result":"done"}'), INCOMPATIBLE, "makes no sense"),
        (frame(b"\xff"), INCOMPATIBLE, "makes no sense"),
        (frame(encode(Reply(0, Done()))), INCOMPATIBLE, "makes no sense"),
    ],
)
def test_what_goes_wrong_within_tls(tmp_path: Path, authority: Authority, sent: bytes, kind: str, line: str) -> None:
    """Each is told for what it is."""
    with (
        server(tmp_path, speaks_tls(authority, sent)) as path,
        linked(path) as conversation,
        pytest.raises(Trouble) as raised,
    ):
        conversation.ask({"type": "get_snapshot"}, TIMEOUT)
    assert raised.value.kind == kind
    assert line in raised.value.lines[0]


def test_a_farewell_answers_whatever_was_asked(tmp_path: Path, authority: Authority) -> None:
    """A helper that ends the conversation says why, also if it has not read the question."""
    farewell = frame(encode(Reply(0, Refused(ErrorKind.LIMITED, "Enough."))))
    with server(tmp_path, speaks_tls(authority, farewell)) as path, linked(path) as conversation:
        assert conversation.ask({"type": "get_snapshot"}, TIMEOUT)["message"] == "Enough."


def test_what_comes_before_the_answer_is_kept(tmp_path: Path, authority: Authority) -> None:
    """In order."""
    sent = frame(encode(Lagged())) + frame(encode(Reply(9, Done()))) + frame(encode(Reply(1, Done())))
    with server(tmp_path, speaks_tls(authority, sent)) as path, linked(path) as conversation:
        assert conversation.ask({"type": "disconnect"}, TIMEOUT) == {"type": "done", "notes": []}
        assert conversation.early == [{"type": "lagged"}]


def test_an_answer_that_does_not_come_is_late(tmp_path: Path, authority: Authority) -> None:
    """Nothing hangs; `receive` alone returns None."""
    done = threading.Event()

    def speak(peer: socket.socket) -> None:
        peer.sendall(frame(encode(Greeting(authority=authority.certificate))))
        with authority.server_context().wrap_socket(peer, server_side=True):
            done.wait(TIMEOUT)

    with server(tmp_path, speak) as path, linked(path) as conversation:
        with pytest.raises(Trouble) as raised:
            conversation.ask({"type": "get_snapshot"}, 0.05)
        assert raised.value.kind == TIMED_OUT
        assert conversation.receive(time.monotonic() + 0.01) is None
        assert conversation.receive(time.monotonic() - 1) is None
        done.set()


def test_too_large_a_question_is_not_sent(helper: FakeHelper) -> None:
    """It is bad input."""
    with linked(helper.path) as conversation:
        with pytest.raises(Trouble) as raised:
            conversation.ask({"type": "export_profile", "name": "x" * (1 << 20)}, TIMEOUT)
        assert raised.value.kind == INVALID


def test_the_key_goes_with_the_request(tmp_path: Path, authority: Authority) -> None:
    """And isn't there without one: an older helper knows no keys."""
    asked: list[bytes] = []

    def speak(peer: socket.socket) -> None:
        peer.sendall(frame(encode(Greeting(authority=authority.certificate))))
        with authority.server_context().wrap_socket(peer, server_side=True) as secured:
            for number in (1, 2):
                asked.append(secured.recv(1 << 16)[4:])
                secured.sendall(frame(encode(Reply(number, Done()))))

    with server(tmp_path, speak) as path, linked(path) as conversation:
        conversation.ask({"type": "disconnect"}, TIMEOUT, "abc")
        conversation.ask({"type": "disconnect"}, TIMEOUT)
    assert asked == [
        b'{"id":1,"command":{"type":"disconnect"},"key":"abc"}',
        b'{"id":2,"command":{"type":"disconnect"}}',
    ]
