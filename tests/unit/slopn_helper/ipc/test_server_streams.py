"""Following events and log lines: none is missed and none comes twice; who doesn't read is no burden."""

from __future__ import annotations

import asyncio
import logging

import pytest

from slopn_helper.ipc.conversation import Timing
from slopn_helper.ipc.refusals import Why
from slopn_wire import events
from slopn_wire.commands import Connect, FollowLogs, GetLogs, GetSnapshot, Watch
from slopn_wire.events import Done, Event, HealthChanged, Lagged, Resumed, ServerMessage, Severity, Stats
from slopn_wire.logs import LogFilter, LogLevel, Logs
from support.ipc_world import MEMBER, TIMEOUT, Client, World, world
from support.refused import reasons
from support.until import until_async


def big() -> HealthChanged:
    """An event of some kilobytes."""
    return HealthChanged((events.Warning("x", Severity.INFO, "." * 8000),))


def say(it: World, message: str, level: str = "info") -> None:
    """A line of the log."""
    it.logs.add(1000.0, level, "x", message)


async def lines(client: Client, count: int) -> tuple[list[str], int]:
    """The next lines of a follower, and how many it has missed."""
    found: list[str] = []
    missed = 0
    while len(found) < count:
        message = await client.read()
        assert isinstance(message, Logs), message
        found += [line.message for line in message.lines]
        missed += message.missed
    assert len(found) == count
    return found, missed


def test_a_watch_goes_on_where_it_was() -> None:
    """With the number and the epoch of a snapshot there is no other one: the events after it follow, then the new ones."""

    async def go() -> None:
        async with world() as it:
            it.hub.publish(Stats(1, 1), Stats(2, 2), Stats(3, 3))
            client = await it.client()
            assert await client.ask(Watch(2, it.hub.view.epoch)) == Resumed(2)
            it.hub.publish(Stats(4, 4))
            seen = [await client.read() for _ in range(3)]
            assert seen == [Event(3, Stats(2, 2)), Event(4, Stats(3, 3)), Event(5, Stats(4, 4))]

    asyncio.run(go())


def test_another_run_gives_another_snapshot() -> None:
    """A number of another epoch means nothing here."""

    async def go() -> None:
        async with world() as it:
            it.hub.publish(Stats(1, 1))
            assert await (await it.client()).ask(Watch(1, "elsewhen")) == it.hub.view

    asyncio.run(go())


def test_a_second_watch_replaces_the_first() -> None:
    """Each event comes once, and the hub has one subscriber."""

    async def go() -> None:
        async with world() as it:
            client = await it.client()
            await client.ask(Watch())
            await client.ask(Watch())
            assert len(it.hub.subscribers) == 1
            it.hub.publish(Stats(1, 1), Stats(2, 2))
            assert [await client.read(), await client.read()] == [Event(2, Stats(1, 1)), Event(3, Stats(2, 2))]

    asyncio.run(go())


def test_thousands_of_events_arrive_without_a_gap() -> None:
    """While they are published faster than anybody could read them one by one, and requests come in between."""

    async def go() -> None:
        async with world(limit=10_000) as it:
            clients = [await it.client() for _ in range(5)]
            for client in clients:
                await client.ask(Watch())

            async def publish() -> None:
                for _ in range(200):
                    it.hub.publish(*(Stats(number, number) for number in range(10)))
                    await asyncio.sleep(0)

            async def follow(client: Client) -> None:
                number = 1
                while number < 2001:
                    message = await client.read()
                    assert isinstance(message, Event)
                    number += 1
                    assert message.seq == number

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(publish())
                for client in clients:
                    tasks.create_task(follow(client))

    asyncio.run(go())


def test_a_slow_reader_lags_and_starts_over() -> None:
    """More events than are kept for it while it doesn't read: `Lagged`, then a new watch brings the present state."""

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


def test_log_lines_are_followed_from_any_number() -> None:
    """What is kept after it comes first, then what is said from now on."""

    async def go() -> None:
        async with world() as it:
            for number in range(1, 6):
                say(it, f"line {number}")
            client = await it.client()
            assert await client.ask(FollowLogs(after=3)) == Done()
            assert await lines(client, 2) == (["line 4", "line 5"], 0)
            say(it, "line 6")
            assert await lines(client, 1) == (["line 6"], 0)

    asyncio.run(go())


def test_log_lines_are_filtered_in_the_helper() -> None:
    """Asked for once, and followed."""

    async def go() -> None:
        async with world() as it:
            say(it, "quiet", "debug")
            say(it, "loud", "error")
            client = await it.client()
            grave = LogFilter(LogLevel.WARNING)
            logs = await client.ask(GetLogs(grave))
            assert isinstance(logs, Logs)
            assert [line.message for line in logs.lines] == ["loud"]
            await client.ask(FollowLogs(grave, after=2))
            say(it, "quiet again", "info")
            say(it, "loud again", "warning")
            assert await lines(client, 1) == (["loud again"], 0)

    asyncio.run(go())


def test_events_and_lines_are_followed_side_by_side() -> None:
    """A second following of the log replaces the first and leaves the events alone."""

    async def go() -> None:
        async with world() as it:
            client = await it.client()
            await client.ask(Watch())
            await client.ask(FollowLogs())
            await client.ask(FollowLogs(LogFilter(LogLevel.ERROR)))
            say(it, "unheard")
            it.hub.publish(Stats(9, 9))
            assert await client.read() == Event(2, Stats(9, 9))
            say(it, "heard", "error")
            assert await lines(client, 1) == (["heard"], 0)

    asyncio.run(go())


def test_a_client_that_never_reads_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """It holds up nobody: another client is served all along, and after the time-out the first is gone."""

    async def go() -> None:
        async with world(timing=Timing(send=0.2)) as it:
            deaf, other = await it.client(MEMBER), await it.client()
            await deaf.send(Watch())
            deaf.deafen()
            await until_async(lambda: len(it.hub.subscribers) == 1, TIMEOUT, "the deaf one watches")
            for _ in range(200):
                it.hub.publish(big())
            assert await other.ask(Connect("a")) == Done()
            await until_async(lambda: not it.hub.subscribers, TIMEOUT, "the deaf one is dropped")
            assert await other.ask(GetSnapshot()) == it.hub.view

    asyncio.run(go())
    assert reasons(caplog) == [Why.NOT_READING]


def test_who_hangs_up_without_having_read_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    """The connection is reset while events are on their way: no defect, no refusal, and nobody else notices."""

    async def go() -> None:
        async with world() as it:
            other = await it.client()
            for _ in range(5):
                deaf = await it.client(MEMBER)
                await deaf.ask(Watch())
                deaf.deafen()
                for _ in range(100):
                    it.hub.publish(big())
                await asyncio.sleep(0)
                deaf.close()
                await until_async(lambda: it.meter(MEMBER).connections == 0, TIMEOUT, "it is forgotten")
            assert await other.ask(Connect("a")) == Done()

    asyncio.run(go())
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
