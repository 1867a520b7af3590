"""What a client may send, once it is let in, and how long it may take."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import struct

import pytest

from slopn_helper.ipc.conversation import Timing
from slopn_helper.ipc.limits import Caps, Rate
from slopn_helper.ipc.refusals import Why
from slopn_helper.ipc.session import CONNECTION_ID, SHORT
from slopn_wire import events
from slopn_wire.codec import encode
from slopn_wire.commands import Connect, Disconnect, GetLogs, GetSnapshot, ImportProfile, Request, Watch
from slopn_wire.devices import Right
from slopn_wire.events import Done, ErrorKind, HealthChanged, Refused, Reply, Severity, Stats
from slopn_wire.framing import MAX_REQUEST, frame
from support.ipc_world import MEMBER, OTHER, ROOT, TIMEOUT, Client, World, world
from support.refused import reasons
from support.until import until_async


async def farewell(client: Client, kind: ErrorKind = ErrorKind.INVALID) -> str:
    """The helper's last message is the next one; its sentence."""
    reply = await client.read()
    assert isinstance(reply, Reply), reply
    assert reply.id == CONNECTION_ID
    assert isinstance(reply.result, Refused)
    assert reply.result.kind is kind
    assert await client.read() is None
    return reply.result.message


async def still_serves(it: World) -> None:
    """Root, and another user."""
    assert await (await it.client(ROOT)).ask(Disconnect()) == Done()
    assert await (await it.client(OTHER)).ask(Connect("b")) == Done()


RUBBISH = {
    "empty frame": frame(b""),
    "not JSON": frame(b"hello"),
    "cut JSON": frame(b'{"id":1'),
    "invalid UTF-8": frame(b'{"id":1,"command":{"type":"connect","profile":"\xff\xfe"}}'),
    "unknown member": frame(b'{"id":1,"command":{"type":"connect","profile":"a","uid":0}}'),
    "unknown command": frame(b'{"id":1,"command":{"type":"shutdown"}}'),
    "deep JSON": frame(b'{"id":1,"command":{"type":"connect","profile":' + b"[" * 3500 + b"]" * 3500 + b"}}"),
    "deep JSON, long": frame(b'{"id":1,"command":' + b'{"a":' * 200_000),
    "huge number": frame(b'{"id":' + b"9" * 5000 + b',"command":{"type":"connect"}}'),
    "the connection's id": frame(b'{"id":0,"command":{"type":"connect"}}'),
    "huge length": struct.pack("!I", 0xFFFF_FFFF) + b"x" * 1000,
    "one byte too long": struct.pack("!I", MAX_REQUEST + 1),
}


@pytest.mark.parametrize("kind", RUBBISH)
def test_rubbish_is_answered_once_then_the_line_is_cut(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """One refusal says why; what follows isn't carried out, and others don't notice."""

    async def go() -> None:
        async with world() as it:
            client = await it.client(MEMBER)
            await client.write(RUBBISH[kind] + frame(encode(Request(2, Connect("a")))))
            assert await farewell(client)
            assert it.hub.commands == []
            await still_serves(it)

    asyncio.run(go())
    assert reasons(caplog) == [Why.FRAME]


def test_without_a_certificate_requests_are_short(caplog: pytest.LogCaptureFixture) -> None:
    """A long one is refused by its length alone."""

    async def go() -> None:
        async with world() as it:
            client = await it.unpaired(MEMBER)
            await client.write(struct.pack("!I", SHORT + 1))
            assert f"at most {SHORT}" in await farewell(client)

    asyncio.run(go())
    assert reasons(caplog) == [Why.FRAME]


@pytest.mark.parametrize("paired", [True, False])
def test_who_asks_nothing_is_dropped(paired: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Root as well: a place in the house is for those who want something."""

    async def go() -> None:
        async with world(timing=Timing(first_request=0.1)) as it:
            for peer in (MEMBER, ROOT):
                client = await (it.client(peer) if paired else it.unpaired(peer))
                assert await farewell(client) == "No request came."

    asyncio.run(go())
    assert reasons(caplog) == [Why.SILENT] * 2


def test_who_has_asked_may_stay() -> None:
    """A front end keeps its connection, watching or not."""

    async def go() -> None:
        async with world(timing=Timing(first_request=0.05)) as it:
            idle, watching, late = await it.client(MEMBER), await it.client(MEMBER), await it.client(MEMBER)
            await idle.ask(GetSnapshot())
            await watching.ask(Watch())
            assert await farewell(late) == "No request came."
            it.hub.publish(Stats(1, 1))
            assert await watching.read() is not None
            assert await idle.ask(Connect("a")) == Done()

    asyncio.run(go())


@pytest.mark.parametrize("part", [b"\x00", b"\x00\x00\x00\x40", b"\x00\x00\x00\x40{"])
def test_half_a_request_is_dropped(part: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Though the client has asked something before, and sends a byte now and then."""

    async def go() -> None:
        async with world(timing=Timing(request=0.1)) as it:
            client = await it.client(MEMBER)
            await client.ask(GetSnapshot())
            await client.write(part)
            assert await farewell(client) == "The rest of a request didn't come."
            await still_serves(it)

    asyncio.run(go())
    assert reasons(caplog) == [Why.FRAME_TIMEOUT]


def test_drops_do_not_prolong_a_request(caplog: pytest.LogCaptureFixture) -> None:
    """The time runs from a request's first byte, whatever comes after it."""

    async def go() -> None:
        async with world(timing=Timing(request=0.3)) as it:
            client = await it.client(MEMBER)
            await client.write(struct.pack("!I", 1000))

            async def drip() -> None:
                while True:
                    await client.write(b" ")
                    await asyncio.sleep(0.01)

            dripping = asyncio.ensure_future(drip())
            try:
                assert await farewell(client) == "The rest of a request didn't come."
            finally:
                dripping.cancel()
                await asyncio.wait([dripping])

    asyncio.run(go())
    assert reasons(caplog) == [Why.FRAME_TIMEOUT]


def test_without_a_certificate_nobody_stays(caplog: pytest.LogCaptureFixture) -> None:
    """Pairing takes minutes, not hours."""

    async def go() -> None:
        async with world(timing=Timing(unpaired=0.1)) as it:
            paired, client = await it.client(MEMBER), await it.unpaired(MEMBER)
            await paired.ask(GetSnapshot())
            assert "No certificate" in await farewell(client)
            assert await paired.ask(GetSnapshot()) == it.hub.view

    asyncio.run(go())
    assert reasons(caplog) == [Why.LINGERING]


def test_bytes_of_half_requests_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Of all connections of one user together; who goes beyond is dropped, and another user has all the room."""

    async def go() -> None:
        async with world(caps=Caps(bytes_held=500_000)) as it:
            half = frame(encode(Request(1, ImportProfile("a", "x" * 400_000, "a"))))[:300_000]
            first, second, other = await it.client(MEMBER), await it.client(MEMBER), await it.client(OTHER)
            await first.write(half)
            await other.write(half)
            await until_held(it, 300_000)
            await second.write(half[:250_000])
            assert "Too many large requests" in await farewell(second, ErrorKind.LIMITED)
            await until_held(it, 300_000)
            first.close()
            await until_held(it, 0)

    asyncio.run(go())
    assert reasons(caplog) == [Why.MEMORY]


async def until_held(it: World, size: int) -> None:
    """So many bytes are charged to the member."""
    await until_async(lambda: it.meter(MEMBER).bytes_held == size, TIMEOUT, f"{size} bytes are charged")


def test_an_answered_request_is_forgotten() -> None:
    """A connection that is idle keeps nothing of what it has asked: a file, maybe."""

    async def go() -> None:
        async with world() as it:
            it.hub.answers[ImportProfile] = lambda _: Done()
            client = await it.client(MEMBER)
            await client.ask(ImportProfile("a", "x" * 100_000, "a"))
            it.hub.commands.clear()
            await client.ask(ImportProfile("a", "x" * 100_000, "a"))
            it.hub.commands.clear()
            assert [each for each in gc.get_objects() if isinstance(each, ImportProfile)] == []

    asyncio.run(go())


def test_a_flood_of_commands_is_held_back(caplog: pytest.LogCaptureFixture) -> None:
    """Beyond the rate each is refused, in order; the hub never sees those, and the user's other front ends go on."""

    async def go() -> None:
        async with world(caps=Caps(commands=Rate(10, 0.0), longest_delay=0.01)) as it:
            client, other = await it.client(MEMBER), it.connect(MEMBER)
            await client.write(b"".join(frame(encode(Request(number, Connect("a")))) for number in range(1, 31)))
            replies = [await client.read() for _ in range(30)]
            assert replies[:10] == [Reply(number, Done()) for number in range(1, 11)]
            kinds = [
                (reply.id, reply.result.kind)
                for reply in replies[10:]
                if isinstance(reply, Reply) and isinstance(reply.result, Refused)
            ]
            assert kinds == [(number, ErrorKind.LIMITED) for number in range(11, 31)]
            assert len(it.hub.commands) == 10
            await other.secure(it.pair(MEMBER, tuple(Right)))
            assert await other.ask(Connect("a")) == Done()
            await still_serves(it)

    asyncio.run(go())
    assert reasons(caplog) == [Why.COMMAND_RATE] * 20


def test_root_is_not_held_back() -> None:
    """Whatever it does within a second."""

    async def go() -> None:
        async with world(caps=Caps(commands=Rate(1, 0.0), connects=Rate(1, 0.0), lookups=Rate(1, 0.0))) as it:
            for _ in range(3):
                client = await it.client(ROOT)
                for _ in range(20):
                    assert await client.ask(Connect("a")) == Done()
                    assert not isinstance(await client.ask(GetLogs()), Refused)

    asyncio.run(go())


def test_more_refusals_than_may_wait_end_the_connection() -> None:
    """Without a word: the others that are refused wait their time."""

    async def go() -> None:
        async with world(caps=Caps(refusals_waiting=0, longest_delay=60.0)) as it:
            client = await it.client(MEMBER, {Right.VIEW})
            for _ in range(3):
                assert isinstance(await client.ask(Connect("a")), Refused)
            await client.send(Connect("a"))
            assert await client.read() is None

    asyncio.run(go())


def test_who_asks_without_reading_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """Requests whose answers nobody fetches end the same way, and hold no memory meanwhile."""

    async def go() -> None:
        async with world(timing=Timing(send=0.2), caps=Caps(commands=Rate(100_000, 0.0))) as it:
            it.hub.publish(HealthChanged((events.Warning("x", Severity.INFO, "." * 8000),)))
            deaf = await it.client(MEMBER)
            deaf.deafen()

            async def flood() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        await deaf.send(GetSnapshot())

            async with asyncio.timeout(TIMEOUT):
                await flood()
            assert len(it.hub.commands) < 400
            await still_serves(it)

    asyncio.run(go())
    assert reasons(caplog) == [Why.NOT_READING]
