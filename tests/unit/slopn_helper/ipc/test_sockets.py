from __future__ import annotations

import asyncio
import os
import socket
import ssl
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.sockets import SOCKET_NAME, SocketConnection, SocketEndpoint
from support.tls_pair import HOST, tls_pair

ANN = Credentials(uid=501, gid=20, pid=42, exe="/bin/slopn")


class FakePeers:
    """Everybody is Ann; once TLS stands her program is not so sure any more."""

    def __init__(self) -> None:
        self.known = True
        self.stays = True

    def connected(self, end: socket.socket) -> Credentials:
        """Ann, unless nobody can be told."""
        assert end.fileno() >= 0
        if not self.known:
            raise OSError("nobody can tell")
        return ANN

    async def secured(self, end: socket.socket, peer: Credentials) -> Credentials:
        """On the same socket."""
        assert end.fileno() >= 0
        if not self.stays:
            raise ConnectionResetError("gone")
        return replace(peer, exe=None)


def run(folder: Path, scene: Callable[[SocketEndpoint, FakePeers], Coroutine[Any, Any, None]]) -> None:
    """Play a scene with an endpoint in `folder`, which is empty in the end."""
    peers = FakePeers()

    async def go() -> None:
        endpoint = SocketEndpoint(folder, None, peers)
        try:
            async with asyncio.timeout(20):
                await scene(endpoint, peers)
        finally:
            endpoint.close()
            endpoint.close()

    asyncio.run(go())
    assert not (folder / SOCKET_NAME).exists()


def shake_hands(path: Path, context: ssl.SSLContext) -> bytes:
    """A client's whole conversation; what it was told inside TLS."""
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(20)
        plain.connect(str(path))
        assert plain.recv(5) == b"hello"
        with context.wrap_socket(plain, server_hostname=HOST) as inside:
            inside.sendall(b"question\n")
            return inside.recv(100)


def test_a_conversation(tmp_path: Path) -> None:
    """Greeting in plain, TLS, streams; and `peer` is what the second look has found."""
    server, client = tls_pair(tmp_path)

    async def scene(endpoint: SocketEndpoint, _: FakePeers) -> None:
        async with asyncio.TaskGroup() as tasks:
            told = tasks.create_task(asyncio.to_thread(shake_hands, endpoint.path, client))
            connection = await endpoint.accept()
            assert connection.peer == ANN
            connection.say(b"hello")
            reader, writer = await connection.secure(server, 20)
            assert connection.peer == replace(ANN, exe=None)
            assert await reader.readline() == b"question\n"
            writer.write(b"answer")
            await writer.drain()
            assert await told == b"answer"
        connection.close()
        connection.close()

    run(tmp_path / "run", scene)


async def connect(endpoint: SocketEndpoint) -> tuple[SocketConnection, socket.socket]:
    """A client that waits for what is said, and its own end."""
    theirs = socket.socket(socket.AF_UNIX)
    theirs.connect(str(endpoint.path))
    try:
        return await endpoint.accept(), theirs
    except BaseException:
        theirs.close()
        raise


@pytest.mark.parametrize(
    ("said", "error"), [(None, TimeoutError), (b"GET / HTTP/1.1\r\n\r\n", ssl.SSLError), (b"", ConnectionError)]
)
def test_no_handshake_no_connection(tmp_path: Path, said: bytes | None, error: type[Exception]) -> None:
    """Silence, something else, and a client that goes: the socket is closed."""
    server, _ = tls_pair(tmp_path)

    async def scene(endpoint: SocketEndpoint, _: FakePeers) -> None:
        connection, theirs = await connect(endpoint)
        with theirs:
            if said:
                theirs.sendall(said)
            elif said == b"":
                theirs.shutdown(socket.SHUT_RDWR)
            with pytest.raises(error):
                await connection.secure(server, 0.05 if said is None else 20)

    run(tmp_path / "run", scene)


def test_who_cannot_be_told_is_hung_up_on(tmp_path: Path) -> None:
    """The client sees the end; the endpoint goes on."""

    async def scene(endpoint: SocketEndpoint, peers: FakePeers) -> None:
        peers.known = False
        with pytest.raises(OSError, match="nobody can tell"):
            await connect(endpoint)
        peers.known = True
        connection, theirs = await connect(endpoint)
        with theirs:
            connection.close()
            connection.close()
            assert theirs.recv(1) == b""

    run(tmp_path, scene)


def test_who_is_gone_at_the_second_look_is_hung_up_on(tmp_path: Path) -> None:
    """TLS stands, and yet nothing is served."""
    server, client = tls_pair(tmp_path)

    async def scene(endpoint: SocketEndpoint, peers: FakePeers) -> None:
        peers.stays = False
        async with asyncio.TaskGroup() as tasks:
            told = tasks.create_task(asyncio.to_thread(shake_hands, endpoint.path, client))
            connection = await endpoint.accept()
            connection.say(b"hello")
            with pytest.raises(ConnectionResetError, match="gone"):
                await connection.secure(server, 20)
            assert await told == b""

    run(tmp_path / "run", scene)


def test_what_was_said_arrives_after_hanging_up(tmp_path: Path) -> None:
    """A refusal in the greeting is read, though the helper has gone."""

    async def scene(endpoint: SocketEndpoint, _: FakePeers) -> None:
        connection, theirs = await connect(endpoint)
        with theirs:
            connection.say(b"no")
            connection.close()
            assert theirs.recv(10) == b"no"

    run(tmp_path, scene)


def test_a_full_buffer_is_an_error(tmp_path: Path) -> None:
    """What is said never waits."""

    async def scene(endpoint: SocketEndpoint, _: FakePeers) -> None:
        connection, theirs = await connect(endpoint)
        with theirs, pytest.raises(BlockingIOError):
            connection.say(bytes(1 << 24))
        connection.close()

    run(tmp_path, scene)


def test_who_may_connect_at_all(tmp_path: Path) -> None:
    """Root alone, the group, or everybody."""

    def mode(path: Path) -> int:
        return stat.S_IMODE(path.lstat().st_mode)

    endpoint = SocketEndpoint(tmp_path / "run", None, FakePeers())
    assert (mode(endpoint.path.parent), mode(endpoint.path)) == (0o755, 0o600)
    endpoint.open_to_all(True)
    assert mode(endpoint.path) == 0o666
    endpoint.open_to_all(False)
    assert mode(endpoint.path) == 0o600
    endpoint.close()
    endpoint = SocketEndpoint(tmp_path / "run", os.getgid(), FakePeers())
    assert mode(endpoint.path) == 0o660
    endpoint.close()


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """A directory that others may write to, a file in our place, a socket of the next helper."""
    loose = tmp_path / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    with pytest.raises(PermissionError):
        SocketEndpoint(loose, None, FakePeers())
    file = tmp_path / SOCKET_NAME
    file.write_text("mine")
    with pytest.raises(FileExistsError):
        SocketEndpoint(tmp_path, None, FakePeers())
    assert file.read_text() == "mine"
    file.unlink()
    old, new = SocketEndpoint(tmp_path, None, FakePeers()), SocketEndpoint(tmp_path, None, FakePeers())
    old.close()
    assert stat.S_ISSOCK(new.path.lstat().st_mode)
    new.close()


@pytest.mark.parametrize("turns", range(5))
def test_who_came_while_nobody_waited_any_more_is_served_next(tmp_path: Path, turns: int) -> None:
    """Who waited is cancelled `turns` of the loop after a client came: the client is served, then or by the next."""

    async def scene(endpoint: SocketEndpoint, _peers: FakePeers) -> None:
        waiting = asyncio.create_task(endpoint.accept())
        await asyncio.sleep(0)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(endpoint.path))
            for _ in range(turns):
                await asyncio.sleep(0)
            if not waiting.cancel():
                connection = await waiting
            else:
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                connection = await endpoint.accept()
            connection.say(b"hello")
            assert client.recv(5) == b"hello"
            connection.close()

    run(tmp_path / "run", scene)
