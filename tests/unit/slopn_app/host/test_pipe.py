from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from slopn_app.host import pipe
from slopn_app.host.pipe import PipeStream, PipeTransport
from slopn_app.trouble import Impostor
from support.tls_pair import HOST, tls_pair

NAME = r"\\.\pipe\slopn"
SYSTEM, ANN, BEN = "S-1-5-18", "S-1-5-21-1-2-3-1001", "S-1-5-21-1-2-3-1002"


class FakeKernel:
    """One pipe; a pair of sockets stands for each time it is opened."""

    def __init__(self) -> None:
        self.of = SYSTEM
        self.busy = 0
        self.ends: dict[int, socket.socket] = {}
        self.servers: list[socket.socket] = []
        self.log: list[str] = []

    def open(self, path: str) -> int:
        """Unless it is busy."""
        assert path == NAME
        if self.busy:
            self.busy -= 1
            raise BlockingIOError("busy")
        ours, theirs = socket.socketpair()
        self.servers.append(theirs)
        self.ends[ours.fileno()] = ours
        self.log.append("open")
        return ours.fileno()

    def owner(self, handle: int) -> str:
        """What was set."""
        assert handle in self.ends
        self.log.append("owner")
        return self.of

    def me(self) -> str:
        """Ann."""
        return ANN

    def read(self, handle: int, size: int, timeout: float | None) -> bytes:
        """From the socket."""
        self.log.append("read")
        self.ends[handle].settimeout(timeout)
        return self.ends[handle].recv(size)

    def write(self, handle: int, data: bytes, timeout: float | None) -> None:
        """To the socket."""
        self.log.append("write")
        self.ends[handle].settimeout(timeout)
        self.ends[handle].sendall(data)

    def close(self, handle: int) -> None:
        """Once each."""
        self.log.append("close")
        self.ends.pop(handle).close()

    def hang_up(self) -> None:
        """The servers' ends."""
        for each in self.servers:
            each.close()


@pytest.fixture
def kernel() -> Any:
    """A pipe of SYSTEM's; nothing of it may be open in the end."""
    made = FakeKernel()
    yield made
    made.hang_up()
    assert made.ends == {}


@pytest.mark.parametrize("owner", [SYSTEM, ANN])
def test_a_pipe_of_systems_or_of_ones_own_is_talked_to(kernel: FakeKernel, owner: str) -> None:
    """Both ways, until it is closed."""
    kernel.of = owner
    stream = PipeTransport(kernel).connect(NAME, 5)
    stream.sendall(b"question")
    assert kernel.servers[0].recv(10) == b"question"
    kernel.servers[0].sendall(b"answer")
    assert stream.recv(3) + stream.recv(10) == b"answer"
    stream.close()
    stream.close()
    with pytest.raises(ConnectionAbortedError):
        stream.recv(1)


@pytest.mark.parametrize("owner", [BEN, "S-1-5-32-545", "S-1-1-0", "S-1-5-180"])
def test_whoever_took_the_name_gets_nothing(kernel: FakeKernel, owner: str) -> None:
    """Nothing is written, nothing read, and the pipe is closed."""
    kernel.of = owner
    with pytest.raises(Impostor) as caught:
        PipeTransport(kernel).connect(NAME, 5)
    assert caught.value.uid == int(owner.rsplit("-", 1)[1])
    assert kernel.log == ["open", "owner", "close"]


def test_a_busy_pipe_is_tried_again(kernel: FakeKernel) -> None:
    """Until an instance is free."""
    kernel.busy = 3
    PipeTransport(kernel).connect(NAME, 5).close()
    assert kernel.busy == 0


def test_a_pipe_that_stays_busy_ends_in_time(kernel: FakeKernel) -> None:
    """As every connection that takes too long."""
    kernel.busy = 1 << 30
    with pytest.raises(TimeoutError):
        PipeTransport(kernel).connect(NAME, 0.02)


def test_the_first_read_has_the_time_of_connecting(kernel: FakeKernel) -> None:
    """A server that says nothing holds nobody up."""
    stream = PipeTransport(kernel).connect(NAME, 0.01)
    with pytest.raises(TimeoutError):
        stream.recv(1)
    stream.close()


def test_tls_inside_the_pipe(kernel: FakeKernel, tmp_path: Path) -> None:
    """A blocking handshake, and closing what is inside closes the pipe."""
    listening, context = tls_pair(tmp_path)
    transport = PipeTransport(kernel)

    async def go() -> None:
        stream = transport.connect(NAME, 20)
        serving = asyncio.to_thread(listening.wrap_socket, kernel.servers[0], server_side=True)
        async with asyncio.TaskGroup() as tasks:
            server = tasks.create_task(serving)
            inside = await asyncio.to_thread(transport.secure, stream, context, HOST)
        kernel.servers[0] = server.result()
        inside.sendall(b"question")
        assert server.result().recv(10) == b"question"
        inside.close()

    asyncio.run(go())


def test_tls_inside_the_pipe_by_asyncio(kernel: FakeKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handle goes over to the loop, which closes it."""
    listening, context = tls_pair(tmp_path)
    transport = PipeTransport(kernel)

    def over_a_socket(loop: Any, handle: Any, protocol: asyncio.Protocol) -> Any:
        end = kernel.ends[handle.fileno()]
        end.setblocking(False)
        made = loop._make_socket_transport(end, protocol)
        kernel.ends.pop(handle.fileno())
        return made

    monkeypatch.setattr(pipe, "_transport", over_a_socket)

    async def go() -> None:
        stream = transport.connect(NAME, 20)
        async with asyncio.TaskGroup() as tasks:
            server = tasks.create_task(asyncio.to_thread(listening.wrap_socket, kernel.servers[0], server_side=True))
            reader, writer = await transport.adopt(stream, context, HOST, 20)
        kernel.servers[0] = inside = server.result()
        writer.write(b"question")
        await writer.drain()
        assert await asyncio.to_thread(inside.recv, 10) == b"question"
        await asyncio.to_thread(inside.sendall, b"answer\n")
        assert await reader.readline() == b"answer\n"
        writer.transport.abort()
        with pytest.raises(ConnectionAbortedError):
            stream.recv(1)

    asyncio.run(go())


def test_a_stream_of_another_kind_is_a_mistake(kernel: FakeKernel, tmp_path: Path) -> None:
    """Only what this transport has opened can be handed over."""
    _, context = tls_pair(tmp_path)
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TypeError):
        asyncio.run(PipeTransport(kernel).adopt(ours, context, HOST, 1))


def test_a_handle_is_closed_once(kernel: FakeKernel) -> None:
    """By whoever has it at the end."""
    stream = PipeStream(kernel, kernel.open(NAME))
    handle = stream.detach()
    stream.close()
    assert "close" not in kernel.log
    handle.close()
    handle.close()
    assert kernel.log.count("close") == 1
    with pytest.raises(ValueError, match="closed pipe"):
        handle.fileno()
