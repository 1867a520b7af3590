"""Those who don't speak TLS as they should, or show what isn't theirs: each is refused, and hurts itself alone."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from pathlib import Path

import pytest

from slopn_helper.ipc.certificates import LIFETIME
from slopn_helper.ipc.conversation import Timing
from slopn_helper.ipc.limits import Caps
from slopn_helper.ipc.pki import Authority
from slopn_helper.ipc.refusals import Why
from slopn_helper.ipc.verdicts import Problem
from slopn_wire.codec import encode
from slopn_wire.commands import Connect, Disconnect, GetSnapshot, Pair, Request
from slopn_wire.devices import Right
from slopn_wire.events import Done, NumberNeeded, Refused
from slopn_wire.framing import frame
from support.certificates import Shown, client_context, new_key, request_for, self_signed
from support.ipc_world import MEMBER, OTHER, ROOT, TIMEOUT, Client, World, world
from support.refused import reasons, refusals
from support.until import until_async

ALL = tuple(Right)


async def still_serves(it: World) -> None:
    """Root, and whoever is attacked in the name of nobody."""
    assert await (await it.client(ROOT)).ask(Disconnect()) == Done()
    assert await (await it.client(OTHER)).ask(Connect("a")) == Done()


async def greeted(it: World) -> Client:
    """A client of the member's that has the greeting and says nothing yet."""
    client = it.connect(MEMBER)
    assert await client.greeting() is not None
    return client


@pytest.mark.parametrize(
    "raw",
    [
        frame(encode(Request(1, Connect("a")))),
        b"GET / HTTP/1.1\r\nHost: helper\r\n\r\n",
        b"\x00" * 4096,
        b"\xff" * 4096,
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_plain_text_instead_of_tls(raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """The line is cut; what it said in plain is never taken for a command."""

    async def go() -> None:
        async with world() as it:
            client = await greeted(it)
            await client.write(raw)
            await until_async(lambda: bool(reasons(caplog)), TIMEOUT, "it is refused")
            await until_async(lambda: it.meter(MEMBER).connections == 0, TIMEOUT, "it is gone")
            assert [command for _, command in it.hub.commands] == []
            await still_serves(it)

    asyncio.run(go())
    assert reasons(caplog) in ([Why.NOT_TLS], [Why.HANDSHAKE])


def test_tls_1_2_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """Also from a client that offers nothing newer."""

    async def go() -> None:
        async with world() as it:
            client = await greeted(it)
            context = client_context(it.gatekeeper.authority.certificate)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises(OSError):
                await client.handshake(context)
            await still_serves(it)

    asyncio.run(go())
    assert reasons(caplog) == [Why.OLD_TLS]


def foreign(state: Path) -> Shown:
    """A certificate of another helper."""
    other, key = Authority.open(state, time.time(), os.geteuid()), new_key()
    return Shown(key, other.issue(request_for(key), "d1", time.time()).certificate)


@pytest.mark.parametrize("kind", ["self-signed", "foreign"])
def test_a_certificate_that_we_did_not_sign(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """TLS itself refuses it, though it names a device that exists."""

    async def go() -> None:
        async with world() as it:
            it.pair(MEMBER, ALL, device="d1")
            shown = self_signed("d1") if kind == "self-signed" else foreign(tmp_path)
            client = it.connect(MEMBER)
            await client.secure(shown)  # a client of TLS 1.3 is done before it is judged
            await client.send(Connect("a"))
            assert await client.read() is None
            assert it.hub.commands == []
            await still_serves(it)

    asyncio.run(go())
    assert reasons(caplog) == [Why.FOREIGN_CERTIFICATE]


async def only_pairing(client: Client, problem: Problem) -> None:
    """Nothing is served but a way to be paired again, and the sentence says why."""
    assert await client.ask(GetSnapshot()) == problem.refused()
    assert await client.ask(Connect("a")) == problem.refused()
    assert isinstance(await client.ask(Pair("again", request_for(new_key()))), NumberNeeded)


@pytest.mark.parametrize("problem", [Problem.REVOKED, Problem.EXPIRED, Problem.OTHER_USER, Problem.UNKNOWN])
def test_a_certificate_of_ours_that_does_not_count(problem: Problem, caplog: pytest.LogCaptureFixture) -> None:
    """Revoked, expired, stolen from another user, or of a device that nobody knows: no right comes with it."""

    async def go() -> None:
        async with world() as it:
            match problem:
                case Problem.EXPIRED:
                    shown = it.pair(MEMBER, ALL, device="d1", issued=time.time() - LIFETIME - 3600)
                case Problem.OTHER_USER:
                    shown = it.pair(OTHER, ALL, device="d1")
                case _:
                    shown = it.pair(MEMBER, ALL, device="d1")
            if problem is Problem.REVOKED:
                it.gatekeeper.book.change_now(lambda registry: registry.revoke("d1"))
            elif problem is Problem.UNKNOWN:
                key = new_key()
                shown = Shown(key, it.gatekeeper.authority.issue(request_for(key), "d2", time.time()).certificate)
            client = it.connect(MEMBER)
            await client.secure(shown)
            await only_pairing(client, problem)
            assert it.hub.commands == []
            await still_serves(it)

    asyncio.run(go())
    assert reasons(caplog) == [problem] * 3


def test_without_a_certificate_there_is_pairing_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Also for root."""

    async def go() -> None:
        async with world() as it:
            for peer in (MEMBER, ROOT):
                client = await it.unpaired(peer)
                result = await client.ask(GetSnapshot())
                assert isinstance(result, Refused)
                assert "isn't paired" in result.message
            assert it.hub.commands == []

    asyncio.run(go())
    assert refusals(caplog) == [(1000, Why.NOT_PAIRED), (0, Why.NOT_PAIRED)]


def test_a_handshake_that_never_ends(caplog: pytest.LogCaptureFixture) -> None:
    """A byte now and then: after the time-out it is gone, and its places are free; meanwhile others get in."""

    async def go() -> None:
        async with world(timing=Timing(handshake=0.5)) as it:
            slow = [await greeted(it) for _ in range(it.caps.handshakes)]
            for client in slow:
                await client.write(b"\x16\x03")
            await still_serves(it)
            await until_async(lambda: it.meter(MEMBER).connections == 0, TIMEOUT, "they are gone")
            assert await (await it.client(MEMBER)).ask(GetSnapshot()) == it.hub.view

    asyncio.run(go())
    assert reasons(caplog) == [Why.HANDSHAKE_TIMEOUT] * Caps().handshakes


def test_handshakes_at_a_time_are_few(caplog: pytest.LogCaptureFixture) -> None:
    """One user's that aren't done keep out that user alone, who is told."""

    async def go() -> None:
        async with world() as it:
            for _ in range(it.caps.handshakes):
                await greeted(it)
            one_more = await it.connect(MEMBER).greeting()
            assert one_more is not None
            assert one_more.refused is not None
            assert "connecting to SloPN right now" in one_more.refused.message
            await still_serves(it)

    asyncio.run(go())
    assert reasons(caplog) == [Why.HANDSHAKES]


def test_who_hangs_up_meanwhile_is_no_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """Before TLS and in its middle; nothing is left of it."""

    async def go() -> None:
        async with world() as it:
            silent, midway = await greeted(it), await greeted(it)
            silent.close()
            await midway.write(b"\x16\x03\x01\x02\x00\x01")
            midway.close()
            await until_async(lambda: it.meter(MEMBER).connections == 0, TIMEOUT, "they are gone")
            await still_serves(it)

    asyncio.run(go())
    assert reasons(caplog) == []
