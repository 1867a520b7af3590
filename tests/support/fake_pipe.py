"""One named pipe without Windows: instances are numbers, and a pair of sockets stands for each that is connected."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from slopn_helper.ipc.endpoints.pipe.caller import Program, Token
from slopn_helper.ipc.endpoints.pipe.endpoint import PipeConnection, PipeEndpoint
from slopn_helper.ipc.endpoints.pipe.proactor import Pipe
from slopn_helper.ipc.endpoints.pipe.sddl import Sid
from support.until import until_async

ANN = Sid.parse("S-1-5-21-1-2-3-1001")
EXE = r"C:\Program Files\SloPN\slopn.exe"


class FakeWindows:
    """Instances of one pipe; a pair of sockets stands for each connected one."""

    def __init__(self) -> None:
        self.taken = False
        self.full = False
        self.integrity = 0x2000
        self.created: list[tuple[str, str, bool]] = []
        self.protected: list[tuple[int, str]] = []
        self.open: set[int] = set()
        self.ends: dict[int, socket.socket] = {}
        self.accepts: dict[int, asyncio.Future[Any]] = {}
        self.gone_early = 0
        self.clients: list[socket.socket] = []

    # What the endpoint calls.

    def create(self, name: str, security: str, *, first: bool) -> int:
        """A new number."""
        if first and (self.taken or self.open):
            raise PermissionError(13, "access denied")
        if self.full:
            raise OSError("no more instances")
        self.created.append((name, security, first))
        handle = len(self.created)
        self.open.add(handle)
        return handle

    def protect(self, pipe: int, security: str) -> None:
        """Noted."""
        assert pipe in self.open
        self.protected.append((pipe, security))

    def close(self, handle: int) -> None:
        """Once each."""
        self.open.remove(handle)
        if handle in self.ends:
            self.ends[handle].close()

    def client_pid(self, pipe: int) -> int:
        """Each instance its own."""
        return 100 + pipe

    def client_token(self, pipe: int) -> Token:
        """Ann's."""
        assert pipe in self.ends
        return Token(user=ANN, groups=(), integrity=self.integrity, elevated=False, session=1, level=1)

    def program(self, pid: int) -> Program:
        """Ours."""
        assert pid > 100
        return Program(ANN, 1, EXE)

    def connected(self, pipe: int) -> bool:
        """While the socket is open."""
        return pipe in self.ends

    # What asyncio does on Windows.

    def accept(self, pipe: Pipe) -> asyncio.Future[Any]:
        """Pending until somebody connects."""
        if self.gone_early:
            self.gone_early -= 1
            raise BrokenPipeError("the pipe is being closed")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.accepts[pipe.fileno()] = future
        return future

    def send(self, pipe: Pipe, data: bytes) -> asyncio.Future[Any]:
        """At once."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            future.set_result(self.ends[pipe.fileno()].send(data))
        except OSError as error:
            future.set_exception(error)
        return future

    def transport(self, pipe: Pipe, protocol: asyncio.Protocol) -> asyncio.Transport:
        """asyncio's own for a socket: like a pipe's, it reads nothing before the next turn of the loop."""
        loop: Any = asyncio.get_running_loop()
        made: asyncio.Transport = loop._make_socket_transport(self.ends[pipe.fileno()], protocol)
        return made

    # What the test does.

    def connect(self) -> socket.socket:
        """A client opens the first instance that waits; its end."""
        handle = min(number for number, future in self.accepts.items() if not future.done())
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.ends[handle] = ours
        self.accepts[handle].set_result(None)
        self.clients.append(theirs)
        return theirs

    @property
    def waiting(self) -> int:
        """Instances that wait for a client."""
        return sum(not future.done() for future in self.accepts.values())


def run(scene: Callable[[FakeWindows, PipeEndpoint], Coroutine[Any, Any, None]]) -> FakeWindows:
    """Play a scene with an endpoint for Ann; in the end nothing may be left open that the endpoint made."""
    windows = FakeWindows()

    async def go() -> None:
        endpoint = PipeEndpoint(windows, windows, [ANN])
        try:
            async with asyncio.timeout(10):
                await scene(windows, endpoint)
        finally:
            endpoint.close()
            endpoint.close()
            for client in windows.clients:
                client.close()

    asyncio.run(go())
    return windows


async def accept(windows: FakeWindows, endpoint: PipeEndpoint) -> tuple[PipeConnection, socket.socket]:
    """A client that was accepted, and its own end."""
    async with asyncio.TaskGroup() as tasks:
        accepting = tasks.create_task(endpoint.accept())
        await until_async(lambda: windows.waiting, 10, "an instance that waits")
        theirs = windows.connect()
    return accepting.result(), theirs
