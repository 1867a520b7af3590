from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_app.host.unix import UnixTransport, linux_peer_uid, macos_peer_uid
from slopn_app.link import HOST, client_context, greet
from slopn_app.trouble import Impostor
from support.fake_helper import FakeHelper
from support.until import until

TIMEOUT = 20.0
CONNECT = {"x86_64": "42", "aarch64": "203"}[os.uname().machine]
"""The system call's number."""
TRANSPORT = UnixTransport(linux_peer_uid)
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """Takes no connection before a test does."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as made:
        made.bind(str(tmp_path / "x"))
        made.listen(0)
        yield made


def test_who_listens_is_the_kernels_word(listener: socket.socket) -> None:
    """Our own helper's socket is ours."""
    with TRANSPORT.connect(listener.getsockname(), TIMEOUT) as connection:
        assert linux_peer_uid(connection) == os.geteuid()
        assert connection.gettimeout() == TIMEOUT


@pytest.mark.parametrize(("uid", "trusted"), [(0, True), (os.geteuid(), True), (65534, False), (1000, False)])
def test_only_root_and_we_ourselves_may_listen(listener: socket.socket, uid: int, trusted: bool) -> None:
    """Anybody else is an impostor, and is told nothing."""
    transport = UnixTransport(lambda _: uid)
    if trusted:
        transport.connect(listener.getsockname(), TIMEOUT).close()
    else:
        with pytest.raises(Impostor, match=str(uid)):
            transport.connect(listener.getsockname(), TIMEOUT)
        peer, _ = listener.accept()
        with peer:
            assert peer.recv(1) == b""


def test_a_full_queue_is_waited_for(listener: socket.socket) -> None:
    """A busy helper gets to us in the end; a socket that doesn't block would fail at once."""
    path = listener.getsockname()
    with contextlib.ExitStack() as held:
        full = False
        while not full:
            filler = held.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX)))
            filler.setblocking(False)
            full = filler.connect_ex(path) != 0
        with pytest.raises(TimeoutError):
            TRANSPORT.connect(path, 0.05)
        connected: list[bool] = []

        def connect() -> None:
            with TRANSPORT.connect(path, TIMEOUT):
                connected.append(True)

        waiting = threading.Thread(target=connect)
        waiting.start()
        syscall = Path(f"/proc/self/task/{waiting.native_id}/syscall")
        until(lambda: syscall.read_text().split()[0] == CONNECT, TIMEOUT, "it waits in connect(2)")
        listener.settimeout(TIMEOUT)

        def taken() -> bool:
            listener.accept()[0].close()
            return bool(connected)

        until(taken, TIMEOUT, "our turn comes")
        waiting.join(TIMEOUT)


def test_a_forbidden_socket_is_a_permission_error(helper: FakeHelper) -> None:
    """The refusal is the kernel's, so another user asks."""
    folder = Path(helper.path).parent
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    before = os.geteuid()
    os.seteuid(65534)
    try:
        with pytest.raises(PermissionError):
            TRANSPORT.connect(helper.path, TIMEOUT)
    finally:
        os.seteuid(before)


def test_a_path_beyond_the_systems_limit_is_an_error(tmp_path: Path) -> None:
    """No crash."""
    with pytest.raises(OSError, match="too long"):
        TRANSPORT.connect(str(tmp_path / ("x" * 200)), TIMEOUT)


def test_a_stream_of_another_transport_is_refused() -> None:
    """A mistake in the program, told as one; the stream is closed."""

    class Other:
        closed = False

        def close(self) -> None:
            self.closed = True

    for other in (Other(), Other()):
        with pytest.raises(TypeError):
            TRANSPORT.secure(other, CONTEXT, HOST)  # type: ignore[arg-type]
        assert other.closed
    other = Other()
    with pytest.raises(TypeError):
        asyncio.run(TRANSPORT.adopt(other, CONTEXT, HOST, TIMEOUT))  # type: ignore[arg-type]
    assert other.closed


def test_asyncio_goes_on_with_a_greeted_stream(helper: FakeHelper) -> None:
    """The bytes after the greeting are TLS's."""

    async def go() -> str:
        stream, greeting = await asyncio.to_thread(greet, TRANSPORT, helper.path, TIMEOUT)
        _, writer = await TRANSPORT.adopt(stream, client_context(greeting.authority), HOST, TIMEOUT)
        version: str = writer.get_extra_info("ssl_object").version()
        writer.transport.abort()
        return version

    assert asyncio.run(go()) == "TLSv1.3"


def test_a_handshake_that_fails_closes_the_socket(listener: socket.socket) -> None:
    """Under asyncio as well as without."""

    def block(stream: socket.socket) -> None:
        TRANSPORT.secure(stream, CONTEXT, HOST)

    def await_it(stream: socket.socket) -> None:
        asyncio.run(TRANSPORT.adopt(stream, CONTEXT, HOST, TIMEOUT))

    for way in (block, await_it):
        stream = TRANSPORT.connect(listener.getsockname(), TIMEOUT)
        listener.accept()[0].close()
        with pytest.raises(OSError, match=r"."):
            way(stream)
        assert stream.fileno() == -1


def test_macos_tells_the_user_in_a_structure_of_its_own() -> None:
    """`struct xucred`: version, user, number of groups, 16 groups: 76 bytes (sys/ucred.h)."""

    class Connection:
        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            assert (level, option, size) == (0, 1, 76)
            return struct.pack("@IIh2x16I", 0, 501, 1, 20, *[0] * 15)

    assert struct.calcsize("@IIh2x16I") == 76
    assert macos_peer_uid(Connection()) == 501  # type: ignore[arg-type]
