"""What a client gets who behaves: answers in order, a snapshot, then events."""

from __future__ import annotations

import asyncio

import pytest

from slopn_wire.commands import Command, Connect, Disconnect, GetLogs, GetSnapshot, Watch
from slopn_wire.events import (
    Done,
    ErrorKind,
    Event,
    LogLine,
    Logs,
    Refused,
    Reply,
    Snapshot,
    Stats,
)
from support.ipc_world import MEMBER, STRANGER, TIMEOUT, world
from support.until import until_async


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
