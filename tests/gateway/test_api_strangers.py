from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from slopn_helper.gateway.api import Limits, Patience, Share
from slopn_helper.gateway.bans import Why
from support.enrolment import PATIENT, WIDE, DeviceKey, World, challenge, connected, serving
from support.registry import new_token, opened
from support.until import until_async

# One of them at a time: what comes before must not fail on a busy machine.
SHORT_HANDSHAKE = Patience(handshake=0.3, asking=60.0, answering=60.0, idle=60.0)
SHORT_ASKING = Patience(handshake=60.0, asking=0.3, answering=60.0, idle=60.0)


Body = Callable[[World, "Raws"], Awaitable[None]]


class Raw(NamedTuple):
    """A connection without TLS."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def end(self) -> bool:
        """Wait until the other side has closed it."""
        with suppress(ConnectionError):
            await self.reader.read()
        return True


class Raws:
    """All of them that a test has made."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.made: list[Raw] = []

    async def connect(self, said: bytes = b"", source: str = "127.0.0.1") -> Raw:
        """One more, on which something was said."""
        made = Raw(*await asyncio.open_connection("127.0.0.1", self._world.port, local_addr=(source, 0)))
        made.writer.write(said)
        self.made.append(made)
        return made


def run(url: str, folder: Path, body: Body, limits: Limits = WIDE, patience: Patience = PATIENT) -> None:
    """`body` with a running API."""

    async def whole() -> None:
        async with opened(url) as registry, serving(registry, folder, limits=limits, patience=patience) as world:
            raws = Raws(world)
            try:
                await body(world, raws)
            finally:
                for each in raws.made:
                    each.writer.transport.abort()
                await asyncio.sleep(0)

    asyncio.run(whole())


async def honest(world: World, source: str = "127.0.0.9") -> None:
    """Somebody else is served as ever."""
    async with connected(world, source=source) as line:
        assert (await DeviceKey().enrol(line, await new_token(world.registry))).status == 200


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"SSH-2.0-scanner\r\n",
        b"\x16\x03\x01\x00\x05hello",
        bytes(64),
        b"\xff" * 3000,
    ],
    ids=["http", "ssh", "a bad hello", "zeros", "noise"],
)
def test_something_else_than_tls(sqlite_url: str, tmp_path: Path, said: bytes) -> None:
    """The connection ends, whoever it was is named, and others notice nothing."""

    async def body(world: World, raws: Raws) -> None:
        stranger = await raws.connect(said)
        port = stranger.writer.get_extra_info("sockname")[1]
        assert await stranger.end()
        await until_async(lambda: world.heard.refusals, 60.0, "it is told")
        (refusal,) = world.heard.refusals
        assert (str(refusal.address), refusal.port, refusal.why) == ("127.0.0.1", port, Why.NOT_TLS)
        assert refusal.said.isprintable()
        assert refusal.proven
        await honest(world)

    run(sqlite_url, tmp_path, body)


def test_an_older_tls(sqlite_url: str, tmp_path: Path) -> None:
    """TLS 1.2 isn't spoken here, over IPv6 as little."""

    async def body(world: World, raws: Raws) -> None:
        del raws
        old = world.tls()
        old.maximum_version = ssl.TLSVersion.TLSv1_2

        def handshake() -> None:
            with (
                socket.create_connection(("::1", world.port), 60) as plain,
                suppress(OSError),
                old.wrap_socket(plain) as secured,
            ):
                pytest.fail(f"{secured.version()} is spoken")

        await asyncio.to_thread(handshake)
        await until_async(lambda: world.heard.refusals, 60.0, "it is told")
        assert [(str(each.address), each.why) for each in world.heard.refusals] == [("::1", Why.NOT_TLS)]
        assert world.heard.refusals[0].said == "unsupported_protocol"
        await honest(world)

    run(sqlite_url, tmp_path, body)


def test_nobody_is_blamed_for_a_bad_line_or_a_pin_that_does_not_fit(sqlite_url: str, tmp_path: Path) -> None:
    """Who says nothing, hangs up, or doesn't trust us is no attacker; each connection ends."""

    async def body(world: World, raws: Raws) -> None:
        (await raws.connect()).writer.close()
        assert await (await raws.connect()).end()
        assert await (await raws.connect(b"\x16\x03\x01")).end()
        with pytest.raises((ssl.SSLCertVerificationError, ConnectionError)):
            async with connected(world, tls=ssl.create_default_context()):
                pass
        assert world.heard.refusals == []

    run(sqlite_url, tmp_path, body, patience=SHORT_HANDSHAKE)


@pytest.mark.parametrize(
    "said",
    [b"", b"POST /v1/enrol HT", b"POST /v1/enrol HTTP/1.1\r\nhost: x\r\ncontent-length: 400\r\n\r\n{"],
    ids=["nothing", "a part of a head", "a part of a body"],
)
def test_who_never_finishes_is_cut_off(sqlite_url: str, tmp_path: Path, said: bytes) -> None:
    """After the handshake, too; letters that come one by one don't help."""

    async def body(world: World, raws: Raws) -> None:
        del raws
        async with connected(world) as line:
            line.writer.write(said)
            ending = asyncio.ensure_future(line.reader.read())
            while not ending.done():
                line.writer.write(b" " if said else b"")
                await asyncio.wait({ending}, timeout=0.05)
            assert ending.exception() is not None or ending.result() == b""
        assert world.heard.refusals == []

    run(sqlite_url, tmp_path, body, patience=SHORT_ASKING)


def test_what_is_no_http(sqlite_url: str, tmp_path: Path) -> None:
    """Is answered as everything else is, and counts."""

    async def body(world: World, raws: Raws) -> None:
        del raws
        for said in (b"\x00\x01\x02\r\n\r\n", b"POST /v1/enrol HTTP/1.1\r\n" + b"x: y\r\n" * 5000, b"A B C\r\n\r\n"):
            async with connected(world) as line:
                line.writer.write(said)
                reply = await line.reply()
                assert (reply.status, reply.code) == (400, "bad_request")
        async with connected(world) as line:
            head = b"POST /v1/enrol HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
            line.writer.write(head + b"nonsense\r\n")
            assert (await line.reply()).status == 400
        assert world.heard.whys == {Why.ENROLMENT: 4}
        await honest(world)

    run(sqlite_url, tmp_path, body)


def test_a_body_without_end(sqlite_url: str, tmp_path: Path) -> None:
    """In chunks, so that no length gives it away: it isn't read to its end."""

    async def body(world: World, raws: Raws) -> None:
        del raws
        async with connected(world) as line:
            line.writer.write(b"POST /v1/enrol HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(20):
                line.writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            reply = await line.reply()
            assert (reply.status, reply.code) == (413, "too_large")

    run(sqlite_url, tmp_path, body)


def test_half_open_connections_keep_nobody_out(sqlite_url: str, tmp_path: Path) -> None:
    """As many as there may be in all, of a few sources, each silent: whoever comes takes the place of one of them."""

    async def body(world: World, raws: Raws) -> None:
        silent = [await raws.connect(source=f"127.0.1.{each % 4}") for each in range(40)]
        for each in range(6):
            await honest(world, f"127.0.2.{each}")
        ends = [asyncio.ensure_future(each.end()) for each in silent]
        await until_async(lambda: sum(each.done() for each in ends) >= 24, 60.0, "those above the limit are ended")
        assert not all(each.done() for each in ends)
        for end in ends:
            end.cancel()

    run(sqlite_url, tmp_path, body, Limits(connections=16, connections_each=8, visits=Share(1e6, 1e6)))


def test_connections_of_one_source_are_limited(sqlite_url: str, tmp_path: Path) -> None:
    """At once, and over time; another source isn't concerned."""

    async def body(world: World, raws: Raws) -> None:
        silent = [await raws.connect() for _ in range(3)]
        assert await (await raws.connect()).end()
        assert not any(each.reader.at_eof() for each in silent)
        await honest(world)
        for _ in range(9):
            (await raws.connect(source="127.0.0.2")).writer.close()
        assert await (await raws.connect(source="127.0.0.2")).end()
        await honest(world)

    run(sqlite_url, tmp_path, body, Limits(connections_each=3, visits=Share(5.0, 0.001)))


def test_a_flood_of_requests(sqlite_url: str, tmp_path: Path) -> None:
    """429 with the time to wait, on the same connection, and no failure that one could be banned for."""

    async def body(world: World, raws: Raws) -> None:
        del raws
        async with connected(world) as line:
            replies = [await line.ask("/v1/challenge", {}) for _ in range(9)]
            assert [each.status for each in replies] == [200] * 6 + [429] * 3
            assert {each.code for each in replies[6:]} == {"too_many"}
            assert all(int(each.headers["retry-after"]) >= 1 for each in replies[6:])
        await honest(world)
        assert world.heard.refusals == []

    run(sqlite_url, tmp_path, body, Limits(requests=Share(6.0, 0.001)))


def test_too_much_at_once(sqlite_url: str, tmp_path: Path) -> None:
    """503 at once while the database has its hands full; who sends slowly holds none of them."""

    async def body(world: World, raws: Raws) -> None:
        del raws
        token = await new_token(world.registry, uses=9)
        async with connected(world) as slow, connected(world) as one, connected(world) as two, connected(world) as late:
            slow.writer.write(b"POST /v1/enrol HTTP/1.1\r\nhost: x\r\ncontent-length: 4000\r\n\r\n{")
            given = [await challenge(line) for line in (one, two, late)]
            async with world.registry.database.write():
                # Nobody else writes meanwhile.
                waiting = [
                    asyncio.ensure_future(line.ask("/v1/enrol", DeviceKey().enrolment(each, token)))
                    for line, each in zip((one, two), given, strict=False)
                ]
                await asyncio.wait(waiting, timeout=0.2)
                reply = await late.ask("/v1/challenge", {})
                while reply.status == 200:  # the two are still on their way
                    reply = await late.ask("/v1/challenge", {})
                assert (reply.status, reply.code) == (503, "unavailable")
                assert int(reply.headers["retry-after"]) >= 1
            assert [each.status for each in await asyncio.gather(*waiting)] == [200, 200]
            assert (await late.ask("/v1/enrol", DeviceKey().enrolment(given[2], token))).status == 200

    run(sqlite_url, tmp_path, body, Limits(in_hand=2, visits=Share(1e6, 1e6), requests=Share(1e6, 1e6)))


def test_requests_in_a_row_without_waiting(sqlite_url: str, tmp_path: Path) -> None:
    """HTTP's pipelining: answered in order."""

    async def body(world: World, raws: Raws) -> None:
        del raws
        async with connected(world) as line:
            one = b"POST /v1/challenge HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
            line.writer.write(one * 5 + b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert [(await line.reply()).status for _ in range(6)] == [200] * 5 + [404]

    run(sqlite_url, tmp_path, body)
