from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.endpoints import Connection
from slopn_helper.ipc.server import Server
from slopn_helper.logs import LogStore
from slopn_wire import events
from slopn_wire.codec import encode, server_decoder
from slopn_wire.commands import Command, Connect, Disconnect, GetLogs, GetSnapshot, Reconnect, Request, Watch
from slopn_wire.events import (
    Done,
    ErrorKind,
    Event,
    HealthChanged,
    Lagged,
    LogLine,
    Logs,
    Refused,
    Reply,
    Result,
    ServerMessage,
    Severity,
    Snapshot,
    Stats,
)
from slopn_wire.framing import MAX_MESSAGE, Deframer, frame
from support.fake_helper import FakeHub
from support.until import until_async

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


def test_requests_are_answered_in_order() -> None:
    """Replies come in the order of the requests, however long one takes."""

    async def go() -> None:
        async with world() as it:
            client = await it.client()
            for command in (Connect("a"), GetSnapshot(), Disconnect(), GetLogs()):
                await client.send(command)
            replies = [await client.read() for _ in range(4)]
            assert replies == [Reply(1, Done()), Reply(2, it.hub.view), Reply(3, Done()), Reply(4, Logs(()))]
            assert [command for _, command in it.hub.commands] == [Connect("a"), GetSnapshot(), Disconnect(), GetLogs()]

    asyncio.run(go())


def test_the_hub_learns_who_asks() -> None:
    """The principal is the endpoint's word."""

    async def go() -> None:
        async with world() as it:
            await (await it.client(MEMBER)).ask(Connect("a"))
            ((who, _),) = it.hub.commands
            assert (who.uid, who.pid, who.exe) == (1000, 2, "/usr/bin/member")

    asyncio.run(go())


@pytest.mark.parametrize("command", [Connect("a"), GetSnapshot(), Watch(logs=True), GetLogs()])
def test_a_stranger_learns_and_does_nothing(command: Command) -> None:
    """Every request of his is refused with a sentence; the hub never hears of it, nobody subscribes."""

    async def go() -> None:
        async with world() as it:
            client = await it.client(STRANGER)
            result = await client.ask(command)
            assert isinstance(result, Refused)
            assert result.kind is ErrorKind.NOT_PERMITTED
            assert it.hub.commands == []
            assert it.hub.subscribers == []

    asyncio.run(go())


def test_a_watch_is_a_snapshot_then_events() -> None:
    """The reply is the snapshot; events follow with the next numbers, none is missed, none comes twice."""

    async def go() -> None:
        async with world() as it:
            it.hub.publish(Stats(1, 1))
            client = await it.client()
            snapshot = await client.ask(Watch())
            assert isinstance(snapshot, Snapshot)
            assert snapshot.seq == 2
            it.hub.publish(Stats(2, 2), Stats(3, 3))
            assert [await client.read(), await client.read()] == [Event(3, Stats(2, 2)), Event(4, Stats(3, 3))]
            assert await client.ask(GetSnapshot()) == it.hub.view

    asyncio.run(go())


def test_logs_come_only_to_those_who_ask() -> None:
    """`logs` adds the log's lines to a watch; without it they stay away."""

    async def go() -> None:
        async with world() as it:
            loud, quiet = await it.client(), await it.client()
            await loud.ask(Watch(logs=True))
            await quiet.ask(Watch())
            line = LogLine(1.0, "info", "x", "hello")
            it.logs.add(line)
            assert await loud.read() == line
            it.hub.publish(Stats(9, 9))
            assert await quiet.read() == Event(2, Stats(9, 9))

    asyncio.run(go())


def test_a_second_watch_replaces_the_first() -> None:
    """Each event comes once, and the hub has one subscriber."""

    async def go() -> None:
        async with world() as it:
            client = await it.client()
            await client.ask(Watch(logs=True))
            await client.ask(Watch())
            assert len(it.hub.subscribers) == 1
            it.logs.add(LogLine(1.0, "info", "x", "unheard"))
            it.hub.publish(Stats(1, 1), Stats(2, 2))
            assert [await client.read(), await client.read()] == [Event(2, Stats(1, 1)), Event(3, Stats(2, 2))]

    asyncio.run(go())


def test_a_client_that_hangs_up_is_forgotten() -> None:
    """Its subscription ends with it."""

    async def go() -> None:
        async with world() as it:
            client = await it.client()
            await client.ask(Watch(logs=True))
            client.close()
            await until_async(lambda: not it.hub.subscribers, TIMEOUT, "the subscription ends")
            await until_async(lambda: not it.logs._followers, TIMEOUT, "nobody follows the log")

    asyncio.run(go())


def big() -> HealthChanged:
    """An event of some kilobytes."""
    return HealthChanged((events.Warning("x", Severity.INFO, "." * 8000),))


def test_a_slow_reader_lags_and_starts_over() -> None:
    """More events than the queue holds while nobody reads: `Lagged`, then a new watch brings the present state."""

    async def go() -> None:
        async with world(limit=4) as it:
            client = await it.client()
            await client.ask(Watch())
            for _ in range(100):
                it.hub.publish(big())
                await asyncio.sleep(0)
            seen: list[ServerMessage | None] = [await client.read()]
            while not isinstance(seen[-1], Lagged):
                seen.append(await client.read())
            numbers = [message.seq for message in seen if isinstance(message, Event)]
            assert numbers == list(range(2, 2 + len(numbers)))
            assert len(numbers) < 100
            assert await client.ask(Watch()) == it.hub.view

    asyncio.run(go())


def test_a_client_that_never_reads_is_dropped() -> None:
    """It holds up nobody: another client is served all along, and after the time-out the first is gone."""

    async def go() -> None:
        async with world(send_timeout=0.2) as it:
            deaf, other = await it.client(), await it.client()
            await deaf.send(Watch())
            await until_async(lambda: len(it.hub.subscribers) == 1, TIMEOUT, "the deaf one watches")
            for _ in range(40):
                it.hub.publish(big())
            assert await other.ask(Connect("a")) == Done()
            await until_async(lambda: not it.hub.subscribers, TIMEOUT, "the deaf one is dropped")
            assert await other.ask(Connect("b")) == Done()

    asyncio.run(go())


def test_a_client_that_asks_without_reading_is_dropped() -> None:
    """Requests whose answers nobody fetches end the same way, and hold no memory meanwhile."""

    async def go() -> None:
        async with world(send_timeout=0.2) as it:
            it.hub.publish(big())
            deaf = await it.client()

            async def flood() -> None:
                with contextlib.suppress(ConnectionError):
                    while True:
                        await deaf.send(GetSnapshot())

            async with asyncio.timeout(TIMEOUT):
                await flood()
            assert len(it.hub.commands) < 200

    asyncio.run(go())


def test_rubbish_is_answered_once_then_the_line_is_cut() -> None:
    """One refusal with id 0 says why; others don't notice."""

    async def go() -> None:
        async with world() as it:
            client, other = await it.client(), await it.client()
            await client.write(frame(b'{"id":1}') + frame(encode(Request(2, Connect("a")))))
            reply = await client.read()
            assert isinstance(reply, Reply)
            assert reply.id == 0
            assert isinstance(reply.result, Refused)
            assert reply.result.kind is ErrorKind.INVALID
            assert await client.read() is None
            assert it.hub.commands == []
            assert await other.ask(Disconnect()) == Done()

    asyncio.run(go())


def test_a_full_house_turns_others_away_but_not_root() -> None:
    """Above the limit a client is told and dropped; root gets in; who leaves makes room."""

    async def go() -> None:
        async with world(max_clients=2) as it:
            first, second = await it.client(MEMBER), await it.client(MEMBER)
            await first.ask(GetSnapshot())
            await second.ask(GetSnapshot())
            third = await it.client(MEMBER)
            reply = await third.read()
            assert isinstance(reply, Reply)
            assert reply.id == 0
            assert isinstance(reply.result, Refused)
            assert "Too many" in reply.result.message
            assert await third.read() is None
            assert await (await it.client(ROOT)).ask(Disconnect()) == Done()
            first.close()
            await until_async(lambda: it.server._clients == 1, TIMEOUT, "the first is gone")
            assert await (await it.client(MEMBER)).ask(Disconnect()) == Done()

    asyncio.run(go())


def test_a_defect_in_the_hub_ends_one_client_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The client is dropped, the defect logged, the server goes on."""

    def broken(_: Command) -> Result:
        raise RuntimeError("a defect")

    async def go() -> None:
        async with world() as it:
            it.hub.answers[Reconnect] = broken
            client = await it.client()
            await client.send(Reconnect())
            assert await client.read() is None
            assert await (await it.client()).ask(Connect("a")) == Done()

    asyncio.run(go())
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "client /usr/bin/root (pid 1) met a defect of ours"
    ]


def test_an_accept_that_fails_is_survived() -> None:
    """Out of descriptors, or a client that was gone at once: the next one is served."""

    async def go() -> None:
        async with world() as it:
            it.endpoint.fail(OSError(24, "Too many open files"))
            assert await (await it.client()).ask(Connect("a")) == Done()

    asyncio.run(go())


def test_shutdown_closes_everything() -> None:
    """Cancelled, the server closes the endpoint and every client, watching ones included."""

    async def go() -> None:
        async with world() as it:
            idle, watching = await it.client(), await it.client()
            await idle.ask(GetSnapshot())
            await watching.ask(Watch(logs=True))
        assert it.endpoint.closed
        assert it.hub.subscribers == []
        assert it.server._clients == 0

    asyncio.run(go())


def test_shutdown_does_not_wait_for_a_client_that_never_reads() -> None:
    """A full send buffer is cut, not waited for."""

    async def go() -> None:
        it = World(256, {"send_timeout": 3600.0})
        async with asyncio.timeout(TIMEOUT), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(it.server.run())
            deaf = await it.client()
            await deaf.send(Watch())
            await until_async(lambda: len(it.hub.subscribers) == 1, TIMEOUT, "the deaf one watches")
            for _ in range(40):
                it.hub.publish(big())
            running.cancel()
        assert it.hub.subscribers == []
        deaf.close()

    asyncio.run(go())
