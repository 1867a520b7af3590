from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slopn_app import bootstrap, link
from slopn_app.trouble import (
    FAILED,
    INCOMPATIBLE,
    INVALID,
    LIMITED,
    NOT_PAIRED,
    NOT_PERMITTED,
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
from support.plain_server import says, server

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


def trouble_of(path: str, timeout: float = TIMEOUT) -> Trouble:
    """What the greeting ends with."""
    with pytest.raises(Trouble) as raised:
        link.greet(TRANSPORT, path, timeout)
    return raised.value


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


def test_a_greeting_tells_whose_certificates_count(helper: FakeHelper) -> None:
    """The fingerprint is the helper's own."""
    stream, greeting = link.greet(TRANSPORT, helper.path, TIMEOUT)
    stream.close()
    assert greeting.fingerprint == helper.gatekeeper.authority.fingerprint


def test_questions_are_answered_within_tls(helper: FakeHelper) -> None:
    """Without a certificate all but pairing is refused, which is an answer."""
    with linked(helper.path) as conversation:
        answer = conversation.ask({"type": "get_snapshot"}, TIMEOUT)
    assert (answer["type"], answer["kind"]) == ("refused", "not_paired")


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    """With the path and what to do."""
    trouble = trouble_of(str(tmp_path / "none"))
    assert trouble.kind == UNREACHABLE
    assert trouble.lines[0] == f"SloPN's service isn't running. ({tmp_path}/none: No such file or directory)"
    assert trouble.lines[1] == "Rules that were in force stay in force."


@pytest.mark.parametrize(
    ("sent", "kind", "line"),
    [
        (b"", UNREACHABLE, "has closed the connection"),
        (b"\x00\x00\x00\x09{", UNREACHABLE, "has closed the connection"),
        (b"\xff\xff\xff\xff", INCOMPATIBLE, "at most 16384 are allowed"),
        (struct.pack("!I", 16385) + b"x" * 16385, INCOMPATIBLE, "at most 16384 are allowed"),
        (frame(b"{"), INCOMPATIBLE, "makes no sense"),
        (frame(b"[]"), INCOMPATIBLE, "isn't SloPN's service"),
        (frame(b"{}"), INCOMPATIBLE, "isn't SloPN's service"),
        (frame(b"[" * 16000), INCOMPATIBLE, "makes no sense"),
        (frame(b"\xff"), INCOMPATIBLE, "makes no sense"),
        (frame(encode(Reply(1, Done()))), INCOMPATIBLE, "isn't SloPN's service"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", INCOMPATIBLE, "at most 16384 are allowed"),
        (
            frame(encode(Greeting(protocol=(2, 0)))),
            INCOMPATIBLE,
            "speaks version 2 of the protocol, this program version 1",
        ),
        (frame(encode(Greeting(authority="rubbish"))), INCOMPATIBLE, "certificate authority can't be read"),
        (frame(encode(Greeting(refused=Refused(ErrorKind.NOT_PERMITTED, "Not you.")))), NOT_PERMITTED, "Not you."),
        (frame(encode(Greeting(refused=Refused(ErrorKind.LIMITED, "Too much.")))), LIMITED, "Too much."),
        (frame(encode(Greeting(refused=Refused(ErrorKind.CONFLICT, "Odd.")))), FAILED, "Odd."),
        (
            frame(encode(Greeting(protocol=(2, 0), refused=Refused(ErrorKind.LIMITED, "x")))),
            INCOMPATIBLE,
            "speaks version 2",
        ),
    ],
)
def test_what_goes_wrong_before_tls(tmp_path: Path, sent: bytes, kind: str, line: str) -> None:
    """Each is told for what it is, bounded, and nothing hangs."""
    with server(tmp_path, says(sent)) as path:
        trouble = trouble_of(path)
    assert trouble.kind == kind
    assert line in trouble.lines[0]


def test_another_minor_version_is_fine(tmp_path: Path, authority: Authority) -> None:
    """It only adds."""
    sent = frame(encode(Greeting(protocol=(1, 9), authority=authority.certificate)))
    with server(tmp_path, says(sent)) as path:
        stream, greeting = link.greet(TRANSPORT, path, TIMEOUT)
        stream.close()
    assert greeting.fingerprint == authority.fingerprint


@pytest.mark.parametrize("begun", [b"", b"\x00\x00", frame(b"x" * 100)[:50]])
def test_a_silent_helper_times_out(tmp_path: Path, begun: bytes) -> None:
    """However far its greeting has come."""

    def speak(peer: socket.socket) -> None:
        peer.sendall(begun)
        peer.recv(100)

    with server(tmp_path, speak) as path:
        assert trouble_of(path, 0.1).kind == TIMED_OUT


def test_a_greeting_in_drops_has_one_deadline(tmp_path: Path) -> None:
    """Each byte doesn't begin it anew."""
    ended = threading.Event()

    def speak(peer: socket.socket) -> None:
        for byte in frame(b"x" * 1000):
            peer.sendall(bytes([byte]))
            if ended.wait(0.02):
                return

    with server(tmp_path, speak) as path:
        assert trouble_of(path, 0.2).kind == TIMED_OUT
        ended.set()


def test_someone_elses_socket_is_told_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says who listens; neither root nor we: hang up."""
    heard: list[bytes] = []
    with server(tmp_path, lambda peer: heard.append(peer.recv(100))) as path:
        monkeypatch.setattr(TRANSPORT, "_peer_uid", lambda _: 54321)
        trouble = trouble_of(path)
    assert trouble.kind == INCOMPATIBLE
    assert "user 54321" in trouble.lines[0]
    assert heard == [b""]


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
