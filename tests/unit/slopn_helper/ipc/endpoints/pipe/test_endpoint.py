from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.ipc.endpoints.pipe.caller import Program, Token
from slopn_helper.ipc.endpoints.pipe.endpoint import NAME, WAITING, PipeConnection, PipeEndpoint
from slopn_helper.ipc.endpoints.pipe.proactor import Pipe
from slopn_helper.ipc.endpoints.pipe.sddl import Sid, descriptor
from support.tls_pair import HOST, tls_pair
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


def test_the_first_instance_is_the_first_and_names_who_may() -> None:
    """From the start, before anybody is accepted; and none after it claims to be the first."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        assert windows.created == [(NAME, descriptor([ANN]), True)]
        connection, _ = await accept(windows, endpoint)
        connection.close()
        assert [first for _, _, first in windows.created] == [True] + [False] * (len(windows.created) - 1)
        assert {security for _, security, _ in windows.created} == {descriptor([ANN])}

    assert run(scene).open == set()


def test_a_name_that_is_taken_is_told() -> None:
    """A stranger was first: no helper, rather than one behind the stranger's list."""
    windows = FakeWindows()
    windows.taken = True
    with pytest.raises(PermissionError, match="taken by another program"):
        PipeEndpoint(windows, windows, [])


def test_who_cannot_be_let_in_stops_the_start() -> None:
    """No pipe is made for Everyone."""
    windows = FakeWindows()
    with pytest.raises(ValueError, match="no person's account"):
        PipeEndpoint(windows, windows, [Sid.parse("S-1-1-0")])
    assert windows.created == []


def test_a_client_comes_with_its_credentials_and_others_wait_on() -> None:
    """The full number of instances waits again before anything is said to the client."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        connection, theirs = await accept(windows, endpoint)
        assert (connection.peer.uid, connection.peer.sid, connection.peer.exe) == (1001, str(ANN), EXE)
        assert windows.waiting == WAITING
        connection.say(b"hello")
        assert theirs.recv(10) == b"hello"
        connection.close()
        connection.close()
        assert theirs.recv(10) == b""

    assert run(scene).open == set()


def test_a_client_that_is_none_of_ours_is_hung_up_on() -> None:
    """It is one client's error; the endpoint goes on."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        windows.integrity = 0x1000
        with pytest.raises(BaseExceptionGroup) as caught:
            await accept(windows, endpoint)
        assert caught.group_contains(PermissionError)
        windows.integrity = 0x2000
        connection, _ = await accept(windows, endpoint)
        connection.close()

    assert run(scene).open == set()


def test_clients_that_come_and_go_are_passed_over() -> None:
    """Each wave takes all instances before they could wait; the next client is still found."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        windows.gone_early = 3 * WAITING
        connection, _ = await accept(windows, endpoint)
        connection.close()

    assert run(scene).open == set()


def test_a_client_gone_before_it_was_seen_is_passed_over() -> None:
    """ConnectNamedPipe ends with ERROR_NO_DATA."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        async with asyncio.TaskGroup() as tasks:
            accepting = tasks.create_task(endpoint.accept())
            await until_async(lambda: windows.waiting, 10, "an instance that waits")
            windows.accepts[min(windows.accepts)].set_exception(BrokenPipeError("gone"))
            windows.connect()
        accepting.result().close()

    assert run(scene).open == set()


def test_no_more_instances_is_no_end_while_one_waits() -> None:
    """The last one that waits is used; without any, it is an error that goes by."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        windows.full = True
        connection, _theirs = await accept(windows, endpoint)
        with pytest.raises(OSError, match="no more instances"):
            await endpoint.accept()
        windows.full = False
        connection.close()
        connection, _ = await accept(windows, endpoint)
        connection.close()

    assert run(scene).open == set()


def test_the_list_changes_for_all_instances() -> None:
    """At once for those that wait, and for those that are made later."""
    ben = Sid.parse("S-1-5-21-1-2-3-1002")

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        endpoint.admit([ben])
        assert windows.protected == [(1, descriptor([ben]))]
        connection, _ = await accept(windows, endpoint)
        connection.close()
        assert windows.created[-1][1] == descriptor([ben])
        endpoint.admit([])
        assert windows.protected[-1][1] == descriptor([])
        with pytest.raises(ValueError, match="no person's account"):
            endpoint.admit([Sid.parse("S-1-5-11")])
        assert len(windows.protected) == 2

    run(scene)


def test_a_closed_endpoint_takes_nobody() -> None:
    """And leaves no instance."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        connection, _theirs = await accept(windows, endpoint)
        endpoint.close()
        assert len(windows.open) == 1
        with pytest.raises(ConnectionAbortedError):
            await endpoint.accept()
        connection.close()

    assert run(scene).open == set()


def test_a_waiting_accept_can_be_cancelled() -> None:
    """What waited still does, for the next call."""

    async def scene(windows: FakeWindows, endpoint: PipeEndpoint) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await endpoint.accept()
        made = len(windows.created)
        connection, _theirs = await accept(windows, endpoint)
        assert len(windows.created) == made + 1
        connection.close()

    run(scene)


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
