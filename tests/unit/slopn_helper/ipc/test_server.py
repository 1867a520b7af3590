"""What a client gets who behaves: answers in order, a snapshot, then events and lines."""

from __future__ import annotations

import asyncio
import logging

import pytest

from slopn_helper.ipc.refusals import Why
from slopn_helper.ipc.verdicts import Problem
from slopn_wire.commands import Command, Connect, Disconnect, GetLogs, GetSnapshot, Reconnect, Watch
from slopn_wire.devices import Right
from slopn_wire.events import PROTOCOL, Done, ErrorKind, Event, Refused, Reply, Result, Snapshot, Stats
from slopn_wire.logs import Logs
from support.ipc_world import MEMBER, ROOT, STRANGER, TIMEOUT, Client, World, world
from support.refused import reasons
from support.until import until_async


def test_the_greeting_comes_first() -> None:
    """In plain, before TLS and before the client says anything: protocol, and whom to trust."""

    async def go() -> None:
        async with world() as it:
            greeting = await it.connect(MEMBER).greeting()
            assert greeting is not None
            assert greeting.protocol == PROTOCOL
            assert greeting.authority == it.gatekeeper.authority.certificate
            assert greeting.refused is None

    asyncio.run(go())


def test_requests_are_answered_in_order() -> None:
    """Replies come in the order of the requests, however long one takes."""

    async def go() -> None:
        async with world() as it:
            client = await it.client()
            for command in (Connect("a"), GetSnapshot(), Disconnect(), GetLogs()):
                await client.send(command)
            replies = [await client.read() for _ in range(4)]
            assert replies == [Reply(1, Done()), Reply(2, it.hub.view), Reply(3, Done()), Reply(4, Logs())]
            assert [command for _, command in it.hub.commands] == [Connect("a"), GetSnapshot(), Disconnect(), GetLogs()]

    asyncio.run(go())


def test_the_hub_learns_who_asks() -> None:
    """User and process are the endpoint's word, the device and its rights the certificate's."""

    async def go() -> None:
        async with world() as it:
            shown = it.pair(MEMBER, (Right.CONNECT,), device="d1")
            client = it.connect(MEMBER)
            await client.secure(shown)
            await client.ask(Connect("a"))
            ((who, _),) = it.hub.commands
            assert who is not None
            assert (who.uid, who.user, who.pid, who.exe, who.session) == (1000, "member", 2, "/usr/bin/member", "c1")
            assert (who.device, who.rights) == ("d1", frozenset({Right.CONNECT}))

    asyncio.run(go())


@pytest.mark.parametrize("command", [Connect("a"), GetSnapshot(), Watch(), GetLogs()])
def test_a_stranger_is_turned_away_before_a_word(command: Command, caplog: pytest.LogCaptureFixture) -> None:
    """With a sentence instead of the greeting, and a line in the log; what he has sent already is never read."""

    async def go() -> None:
        async with world() as it:
            client = it.connect(STRANGER)
            await client.send(command)
            greeting = await client.greeting()
            assert greeting is not None
            assert greeting.refused == Problem.NOT_ALLOWED.refused()
            assert greeting.authority == ""
            assert await client.greeting() is None
            assert it.hub.commands == []

    asyncio.run(go())
    assert reasons(caplog) == [Problem.NOT_ALLOWED]


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


def test_a_client_that_hangs_up_is_forgotten() -> None:
    """Its subscription ends with it, and nothing is counted for it any more."""

    async def go() -> None:
        async with world() as it:
            client = await it.client(MEMBER)
            await client.ask(Watch())
            client.close()
            await until_async(lambda: not it.hub.subscribers, TIMEOUT, "the subscription ends")
            await until_async(lambda: it.meter(MEMBER).connections == 0, TIMEOUT, "nothing is counted")

    asyncio.run(go())


def test_a_slow_command_holds_up_nobody_else() -> None:
    """While one client waits for its answer, another one's come; its own later requests wait their turn."""

    async def go() -> None:
        async with world() as it:
            gate = asyncio.Event()
            it.hub.slow[Reconnect] = gate
            slow, quick = await it.client(), await it.client()
            await slow.send(Reconnect())
            await slow.send(Connect("later"))
            await until_async(lambda: bool(it.hub.commands), TIMEOUT, "the slow one has begun")
            assert await quick.ask(Connect("a")) == Done()
            assert [command for _, command in it.hub.commands] == [Reconnect(), Connect("a")]
            gate.set()
            assert [await slow.read(), await slow.read()] == [Reply(1, Done()), Reply(2, Done())]

    asyncio.run(go())


def test_a_command_is_carried_out_though_its_client_is_gone() -> None:
    """What was accepted isn't left half done."""

    async def go() -> None:
        async with world() as it:
            gate = asyncio.Event()
            finished: list[Command] = []

            def finish(command: Command) -> Result:
                finished.append(command)
                return Done()

            it.hub.slow[Reconnect] = gate
            it.hub.answers[Reconnect] = finish
            client = await it.client(MEMBER)
            await client.send(Reconnect(), key="k")
            await until_async(lambda: bool(it.hub.commands), TIMEOUT, "it has begun")
            client.close()
            again = await it.client(MEMBER)
            number = await again.send(Reconnect(), key="k")
            gate.set()
            assert await again.reply(number) == Done()
            assert finished == [Reconnect()]

    asyncio.run(go())


def test_a_defect_in_the_hub_ends_one_command_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The client is told, the defect logged, and both go on."""

    def broken(_: Command) -> Result:
        raise RuntimeError("a defect")

    async def go() -> None:
        async with world() as it:
            it.hub.answers[Reconnect] = broken
            client = await it.client()
            result = await client.ask(Reconnect())
            assert isinstance(result, Refused)
            assert result.kind is ErrorKind.FAILED
            assert await client.ask(Connect("a")) == Done()

    asyncio.run(go())
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "Reconnect met a defect of ours (uid 0, pid 1)"
    ]


def test_a_defect_in_the_gatekeeper_ends_one_client_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is dropped, and the next one served."""

    async def go() -> None:
        async with world() as it:
            with monkeypatch.context() as patched:
                patched.setattr(it.users, "basis", lambda *_: 1 / 0)
                assert await it.connect(MEMBER).greeting() is None
            assert await (await it.client()).ask(Connect("a")) == Done()

    asyncio.run(go())
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "client /usr/bin/member (pid 2) met a defect of ours"
    ]


def test_an_accept_that_fails_is_survived() -> None:
    """Out of descriptors, or a client that was gone at once: the next one is served."""

    async def go() -> None:
        async with world() as it:
            it.endpoint.fail(OSError(24, "Too many open files"))
            assert await (await it.client()).ask(Connect("a")) == Done()

    asyncio.run(go())


def test_a_full_house_turns_others_away_but_not_root(caplog: pytest.LogCaptureFixture) -> None:
    """Above a user's limit a client is told and dropped; another user and root get in; who leaves makes room."""

    async def go() -> None:
        async with world() as it:
            here = [await it.client(MEMBER) for _ in range(it.caps.connections)]
            for client in here:
                await client.ask(GetSnapshot())
            greeting = await it.connect(MEMBER).greeting()
            assert greeting is not None
            assert greeting.refused is not None
            assert greeting.refused.kind is ErrorKind.LIMITED
            assert await (await it.client(ROOT)).ask(Disconnect()) == Done()
            here[0].close()
            await until_async(lambda: it.meter(MEMBER).connections < len(here), TIMEOUT, "the first is gone")
            assert await (await it.client(MEMBER)).ask(Disconnect()) == Done()

    asyncio.run(go())
    assert reasons(caplog) == [Why.CONNECTIONS]


def test_shutdown_closes_everything() -> None:
    """Cancelled, the server closes the endpoint and every client, in whatever state."""

    async def go() -> tuple[World, list[Client]]:
        async with world() as it:
            idle, watching, greeted = await it.client(), await it.client(MEMBER), it.connect(MEMBER)
            await idle.ask(GetSnapshot())
            await watching.ask(Watch())
            await greeted.greeting()
        return it, [idle, watching, greeted]

    it, _ = asyncio.run(go())
    assert it.endpoint.closed
    assert it.hub.subscribers == []
    assert it.meter(MEMBER).connections == 0
