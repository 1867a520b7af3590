from __future__ import annotations

import os
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from slopn_app import bootstrap, link
from slopn_app.trouble import (
    FAILED,
    INCOMPATIBLE,
    LIMITED,
    NOT_PERMITTED,
    TIMED_OUT,
    UNREACHABLE,
    Trouble,
)
from slopn_helper.ipc.pki import Authority
from slopn_wire.codec import encode
from slopn_wire.events import Done, ErrorKind, Refused, Reply
from slopn_wire.framing import frame
from slopn_wire.greeting import Greeting
from support.fake_helper import FakeHelper
from support.plain_server import says, server

TIMEOUT = 20.0
TRANSPORT = bootstrap.host().transport


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


def test_a_greeting_tells_whose_certificates_count(helper: FakeHelper) -> None:
    """The fingerprint is the helper's own."""
    stream, greeting = link.greet(TRANSPORT, helper.path, TIMEOUT)
    stream.close()
    assert greeting.fingerprint == helper.gatekeeper.authority.fingerprint


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
