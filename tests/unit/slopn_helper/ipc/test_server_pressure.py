"""Clients that don't read, send rubbish, or come in numbers: each hurts itself alone."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from slopn_wire import events
from slopn_wire.codec import encode
from slopn_wire.commands import Command, Connect, Disconnect, GetSnapshot, Reconnect, Request, Watch
from slopn_wire.events import (
    Done,
    ErrorKind,
    Event,
    HealthChanged,
    Lagged,
    Refused,
    Reply,
    Result,
    ServerMessage,
    Severity,
)
from slopn_wire.framing import frame
from support.ipc_world import MEMBER, ROOT, TIMEOUT, World, world
from support.until import until_async


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
