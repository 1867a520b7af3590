"""What a client has sent is in memory only for as long as something is done with it, and somebody is charged for it."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from slopn_helper.ipc.conversation import Timing
from slopn_helper.ipc.limits import Caps, Meter
from slopn_wire.codec import encode
from slopn_wire.commands import GetUsers, ImportProfile, Replay, Request
from slopn_wire.devices import Right
from slopn_wire.events import Done, ErrorKind, Refused, Reply, Users
from slopn_wire.framing import frame
from support.ipc_world import MEMBER, TIMEOUT, World, world
from support.until import until_async

LARGE = frame(encode(Request(1, ImportProfile("a", "x" * 900_000, "a.conf"))))
LITTLE = 300_000


@pytest.fixture(autouse=True)
def traced() -> Iterator[None]:
    """Memory is counted."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def in_use() -> int:
    """Bytes."""
    return tracemalloc.get_traced_memory()[0]


def meter_of(it: World) -> Meter:
    """The member's."""
    meter = it.server._limits.meter_of(MEMBER.uid, time.monotonic())
    assert meter is not None
    return meter


def test_a_refusal_that_waits_keeps_no_file() -> None:
    """Who was refused often waits long for the next refusal, and sends a file each time."""

    async def go() -> None:
        async with world(caps=Caps(longest_delay=TIMEOUT)) as it:
            clients = [await it.client(MEMBER, [Right.VIEW]) for _ in range(3)]
            meter = meter_of(it)
            for _ in range(40):
                meter.delay(time.monotonic())
            before = in_use()
            for number, client in enumerate(clients, 1):
                await client.write(LARGE)
                await until_async(lambda: meter.refusals_waiting == number, TIMEOUT, "it waits to be refused")  # noqa: B023
            assert in_use() - before < LITTLE

    asyncio.run(go())


def test_half_a_file_is_gone_before_the_last_words_are_heard() -> None:
    """A client that is cut off, and takes no notice, keeps its connection for a moment but not what it has sent."""

    async def go() -> None:
        async with world(timing=Timing(request=0.3, linger=TIMEOUT)) as it:
            client = await it.client(MEMBER)
            meter = meter_of(it)
            before = in_use()
            assert client._writer is not None
            client._writer.transport.pause_reading()  # type: ignore[attr-defined]
            await client.write(LARGE[:-1])
            await until_async(lambda: meter.bytes_held > len(LARGE) // 2, TIMEOUT, "half a request has arrived")
            await until_async(lambda: not meter.bytes_held, TIMEOUT, "the client is cut off")
            assert meter.connections == 1, "and still there"
            assert in_use() - before < LITTLE

    asyncio.run(go())


def test_a_request_that_waits_for_its_turn_is_charged() -> None:
    """Replays of one user are made one after the other; no more of them wait than the user may have in memory."""

    async def go() -> None:
        async with world() as it:
            it.hub.slow[Replay] = asyncio.Event()
            clients = [await it.client(MEMBER) for _ in range(3)]
            numbers = []
            for client, held in zip(clients, (1, 2, 2), strict=True):
                numbers.append(await client.send(Replay(b"x" * 700_000)))
                size = len(encode(Request(numbers[-1], Replay(b"x" * 700_000))))
                await until_async(lambda: meter_of(it).bytes_held >= held * size, TIMEOUT, "it is charged")  # noqa: B023
            told = await clients[2].read()
            assert isinstance(told, Reply)
            assert isinstance(told.result, Refused)
            assert told.result.kind is ErrorKind.LIMITED
            it.hub.slow[Replay].set()
            assert [await client.reply(number) for client, number in zip(clients[:2], numbers, strict=False)] == [
                Done()
            ] * 2
            assert isinstance(await clients[0].ask(GetUsers()), Users)
            assert meter_of(it).bytes_held == 0

    asyncio.run(go())
