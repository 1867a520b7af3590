from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slopn_app.host.tls import TlsStream
from support.tls_pair import HOST, tls_pair


@contextlib.contextmanager
def server(context: ssl.SSLContext, serve: Callable[[ssl.SSLSocket], None]) -> Iterator[socket.socket]:
    """A TLS server in a thread; the client's end of its connection. What it does wrong is raised in the end."""
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    theirs.settimeout(20)
    failed: list[BaseException] = []

    def go() -> None:
        try:
            with ours, context.wrap_socket(ours, server_side=True) as inside:
                serve(inside)
        except (OSError, AssertionError) as error:
            failed.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield theirs
    finally:
        theirs.close()
        thread.join(20)
    if failed:
        raise failed[0]


def test_large_messages_go_both_ways(tmp_path: Path) -> None:
    """More than a record, a buffer and a pipe hold."""
    listening, context = tls_pair(tmp_path)
    data = bytes(range(256)) * 2000

    def echo(inside: ssl.SSLSocket) -> None:
        received = b""
        while len(received) < len(data):
            received += inside.recv(1 << 16)
        inside.sendall(received)

    with server(listening, echo) as theirs:
        stream = TlsStream(theirs, context, HOST)
        # The server reads all before it writes, so this can't lock both up.
        stream.sendall(data)
        received = b""
        while len(received) < len(data):
            received += stream.recv(1 << 16)
        assert received == data


def test_the_server_ends_it(tmp_path: Path) -> None:
    """By TLS's own farewell: the end, and no error."""
    listening, context = tls_pair(tmp_path)

    def say_good_bye(inside: ssl.SSLSocket) -> None:
        inside.sendall(b"last words")
        with contextlib.suppress(OSError):
            inside.unwrap()

    with server(listening, say_good_bye) as theirs:
        stream = TlsStream(theirs, context, HOST)
        assert stream.recv(100) == b"last words"
        assert stream.recv(100) == b""


def test_a_connection_that_breaks_has_ended(tmp_path: Path) -> None:
    """As with a socket's TLS: what came before is there, and then nothing."""
    listening, context = tls_pair(tmp_path)

    def vanish(inside: ssl.SSLSocket) -> None:
        inside.sendall(b"half a mess")
        socket.socket(fileno=inside.detach()).close()

    with server(listening, vanish) as theirs:
        stream = TlsStream(theirs, context, HOST)
        assert stream.recv(100) == b"half a mess"
        assert stream.recv(100) == b""
        stream.close()
        stream.close()


def test_a_server_that_vanishes_in_the_handshake_is_an_error(tmp_path: Path) -> None:
    """No connection, and the stream is closed."""
    _, context = tls_pair(tmp_path)
    ours, theirs = socket.socketpair()
    ours.shutdown(socket.SHUT_WR)
    with ours, pytest.raises(ssl.SSLError):
        TlsStream(theirs, context, HOST)
    assert theirs.fileno() == -1


def test_silence_ends_in_time(tmp_path: Path) -> None:
    """The stream's own time-out holds inside TLS, and the conversation goes on after it."""
    listening, context = tls_pair(tmp_path)
    asked = threading.Event()

    def wait(inside: ssl.SSLSocket) -> None:
        assert asked.wait(20)
        inside.sendall(b"late")

    with server(listening, wait) as theirs:
        stream = TlsStream(theirs, context, HOST)
        stream.settimeout(0.01)
        with pytest.raises(TimeoutError):
            stream.recv(1)
        stream.settimeout(20)
        asked.set()
        assert stream.recv(10) == b"late"


def test_a_server_with_another_name_is_refused(tmp_path: Path) -> None:
    """It is told why, and the stream is closed."""
    listening, context = tls_pair(tmp_path, "other.slopn")
    ours, theirs = socket.socketpair()
    alerts: list[str] = []

    def go() -> None:
        try:
            listening.wrap_socket(ours, server_side=True).recv(1)
        except ssl.SSLError as error:
            alerts.append(error.reason)

    with ours:
        ours.settimeout(20)
        theirs.settimeout(20)
        thread = threading.Thread(target=go)
        thread.start()
        with pytest.raises(ssl.SSLCertVerificationError):
            TlsStream(theirs, context, HOST)
        thread.join(20)
    assert theirs.fileno() == -1
    assert "ALERT" in alerts[0]
