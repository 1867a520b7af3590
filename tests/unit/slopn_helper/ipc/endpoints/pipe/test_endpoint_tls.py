from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from slopn_helper.ipc.endpoints.pipe.endpoint import PipeEndpoint
from support.fake_pipe import FakeWindows, accept, run
from support.tls_pair import HOST, tls_pair


def shake_hands(theirs: socket.socket, context: ssl.SSLContext) -> bytes:
    """A client's whole conversation; what it was told inside TLS."""
    theirs.settimeout(10)
    assert theirs.recv(5) == b"hello"
    with context.wrap_socket(theirs, server_hostname=HOST) as inside:
        inside.sendall(b"question\n")
        return inside.recv(100)


def test_tls_inside_the_pipe(tmp_path: Path) -> None:
    """The greeting in plain, then TLS, and streams that talk through it."""
    server, client = tls_pair(tmp_path)

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        connection, theirs = await accept(windows, endpoint)
        connection.say(b"hello")
        async with asyncio.TaskGroup() as tasks:
            told = tasks.create_task(asyncio.to_thread(shake_hands, theirs, client))
            reader, writer = await connection.secure(server, 10)
            assert await reader.readline() == b"question\n"
            writer.write(b"answer")
            await writer.drain()
            assert await told == b"answer"
        connection.close()
        await writer.wait_closed()

    run(scene)


def test_a_client_that_speaks_first_loses_nothing(tmp_path: Path) -> None:
    """Its part of the handshake is there before ours begins."""
    server, client = tls_pair(tmp_path)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    eager = client.wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        eager.do_handshake()

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        connection, theirs = await accept(windows, endpoint)
        theirs.sendall(outgoing.read())
        theirs.settimeout(10)

        def go_on() -> None:
            while True:
                try:
                    eager.do_handshake()
                except ssl.SSLWantReadError:
                    incoming.write(theirs.recv(1 << 16))
                else:
                    theirs.sendall(outgoing.read())
                    return

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.to_thread(go_on))
            _, writer = await connection.secure(server, 10)
        writer.transport.abort()

    run(scene)


@pytest.mark.parametrize(
    ("said", "error"), [(None, TimeoutError), (b"GET / HTTP/1.1\r\n\r\n", ssl.SSLError), (b"", ConnectionError)]
)
def test_no_handshake_no_connection(tmp_path: Path, said: bytes | None, error: type[Exception]) -> None:
    """Silence, something else, and a client that goes: the pipe is closed."""
    server, _ = tls_pair(tmp_path)

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        connection, theirs = await accept(windows, endpoint)
        if said:
            theirs.sendall(said)
        elif said == b"":
            theirs.shutdown(socket.SHUT_RDWR)
        with pytest.raises(error):
            await connection.secure(server, 0.05 if said is None else 10)
        for _ in range(3):
            await asyncio.sleep(0)
        assert windows.ends[1].fileno() == -1

    run(scene)
