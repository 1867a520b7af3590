"""A server of the helper over socket pairs, with clients that behave as a test likes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.endpoints import Connection
from slopn_helper.ipc.server import Server
from slopn_helper.logs import LogStore
from slopn_wire.codec import encode, server_decoder
from slopn_wire.commands import Command, Request
from slopn_wire.events import (
    Reply,
    Result,
    ServerMessage,
)
from slopn_wire.framing import MAX_MESSAGE, Deframer, frame
from support.fake_helper import FakeHub

GROUP = 990
ROOT = Credentials(uid=0, gid=0, pid=1, exe="/usr/bin/root")
MEMBER = Credentials(uid=1000, gid=1000, groups=(GROUP,), pid=2, exe="/usr/bin/member")
STRANGER = Credentials(uid=1001, gid=1001, pid=3, exe="/usr/bin/stranger")
TIMEOUT = 20.0


class FakeEndpoint:
    """Hands out one end of socket pairs, with whatever credentials the test likes."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Connection | OSError] = asyncio.Queue()
        self.closed = False

    async def accept(self) -> Connection:
        """The next one that the test put there."""
        item = await self._waiting.get()
        if isinstance(item, OSError):
            raise item
        return item

    def close(self) -> None:
        """Noted."""
        self.closed = True

    def fail(self, error: OSError) -> None:
        """The next accept raises."""
        self._waiting.put_nowait(error)

    async def connect(self, peer: Credentials) -> Client:
        """A client with these credentials."""
        ours, theirs = socket.socketpair()
        # Small buffers: a reader that doesn't read is felt after a few kilobytes.
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            end.setblocking(False)
        self._waiting.put_nowait(Connection(*await asyncio.open_connection(sock=ours), peer))
        return Client(theirs)


class Client:
    """The other end: raw frames in and out."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._frames = Deframer(MAX_MESSAGE)
        self._ready: list[bytes] = []
        self._ids = 0

    async def write(self, data: bytes) -> None:
        """Raw bytes."""
        await asyncio.get_running_loop().sock_sendall(self._end, data)

    async def send(self, command: Command) -> int:
        """A request; its id."""
        self._ids += 1
        await self.write(frame(encode(Request(self._ids, command))))
        return self._ids

    async def read(self) -> ServerMessage | None:
        """The next message; None at the end."""
        while not self._ready:
            async with asyncio.timeout(TIMEOUT):
                try:
                    data = await asyncio.get_running_loop().sock_recv(self._end, 1 << 16)
                except ConnectionResetError:
                    return None
            if not data:
                return None
            self._ready = list(self._frames.feed(data))
        message: ServerMessage = server_decoder.decode(self._ready.pop(0))
        return message

    async def ask(self, command: Command) -> Result:
        """A request, and its reply as the very next message."""
        number = await self.send(command)
        reply = await self.read()
        assert isinstance(reply, Reply)
        assert reply.id == number
        return reply.result

    def close(self) -> None:
        """Hang up."""
        self._end.close()


class World:
    """A server with its hub, log and endpoint."""

    def __init__(self, limit: int, options: dict[str, Any]) -> None:
        self.logs = LogStore()
        self.hub = FakeHub(self.logs, limit)
        self.endpoint = FakeEndpoint()
        self.server = Server(self.endpoint, self.hub, self.logs, GROUP, **options)
        self.clients: list[Client] = []

    async def client(self, peer: Credentials = ROOT) -> Client:
        """A new client; hangs up in the end."""
        self.clients.append(await self.endpoint.connect(peer))
        return self.clients[-1]


@contextlib.asynccontextmanager
async def world(limit: int = 256, **options: Any) -> AsyncIterator[World]:
    """A running server. Cancelled in the end, as the helper does."""
    made = World(limit, options)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(made.server.run())
        try:
            yield made
        finally:
            running.cancel()
            for client in made.clients:
                client.close()
