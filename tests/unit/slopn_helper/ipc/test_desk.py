from __future__ import annotations

import asyncio

import pytest

from slopn_helper.ipc.ledger import OTHER_COMMAND
from slopn_helper.ipc.limits import Caps, Rate
from slopn_helper.ipc.refusals import Why
from slopn_wire import diagnosis, events
from slopn_wire.commands import (
    ConfirmPairing,
    Connect,
    Diagnose,
    Disconnect,
    ExportProfile,
    GetPairings,
    GetSnapshot,
    GetUsers,
    ImportProfile,
    Pair,
    Reconnect,
    Replay,
)
from slopn_wire.devices import Right
from slopn_wire.events import Done, ErrorKind, Exported, NumberNeeded, Paired, Refused
from support.certificates import Shown, new_key, request_for
from support.ipc_world import MEMBER, OTHER, ROOT, TIMEOUT, World, world
from support.refused import reasons
from support.until import until_async

ALL = tuple(Right)


def carried_out(it: World) -> list[object]:
    """The hub's commands."""
    return [command for _, command in it.hub.commands]


def test_a_retry_is_answered_and_not_carried_out() -> None:
    """By the same front end, over this connection or another."""

    async def go() -> None:
        async with world() as it:
            answers = iter([Done(("first",)), Done(("second",))])
            it.hub.answers[Connect] = lambda _: next(answers)
            client, again = await it.client(MEMBER), await it.client(MEMBER)
            assert await client.ask(Connect("a"), key="k") == Done(("first",))
            assert await client.ask(Connect("a"), key="k") == Done(("first",))
            assert await again.ask(Connect("a"), key="k") == Done(("first",))
            assert carried_out(it) == [Connect("a")]
            assert await again.ask(Connect("a"), key="k2") == Done(("second",))

    asyncio.run(go())


def test_a_key_of_another_command_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """And nothing is carried out."""

    async def go() -> None:
        async with world() as it:
            client = await it.client(MEMBER)
            await client.ask(Connect("a"), key="k")
            assert await client.ask(Disconnect(), key="k") == OTHER_COMMAND
            assert carried_out(it) == [Connect("a")]

    asyncio.run(go())
    assert reasons(caplog) == [Why.KEY]


def test_a_replay_by_somebody_else_is_its_own_request() -> None:
    """Another user, another front end, one without the right, one without a certificate: each is judged for itself."""

    async def go() -> None:
        async with world() as it:
            answers = iter([Done(("mine",)), Done(("theirs",)), Done(("its",))])
            it.hub.answers[Connect] = lambda _: next(answers)
            assert await (await it.client(MEMBER)).ask(Connect("a"), key="k") == Done(("mine",))
            assert await (await it.client(OTHER)).ask(Connect("a"), key="k") == Done(("theirs",))
            viewer = await (await it.client(MEMBER, {Right.VIEW})).ask(Connect("a"), key="k")
            assert isinstance(viewer, Refused)
            assert viewer.kind is ErrorKind.NOT_PERMITTED
            unpaired = await (await it.unpaired(MEMBER)).ask(Connect("a"), key="k")
            assert isinstance(unpaired, Refused)
            assert unpaired.kind is ErrorKind.NOT_PAIRED
            sibling = it.connect(MEMBER)
            await sibling.secure(it.pair(MEMBER, ALL))
            assert await sibling.ask(Connect("a"), key="k") == Done(("its",))

    asyncio.run(go())


def test_secrets_are_not_remembered() -> None:
    """What only reads is asked anew each time, under whatever key."""

    async def go() -> None:
        async with world() as it:
            it.hub.answers[ExportProfile] = lambda _: Exported("PrivateKey = …")
            client = await it.client(MEMBER)
            for _ in range(2):
                assert await client.ask(ExportProfile("a"), key="k") == Exported("PrivateKey = …")
            assert carried_out(it) == [ExportProfile("a")] * 2

    asyncio.run(go())


def test_the_gatekeeper_has_its_commands() -> None:
    """Users, pairings and devices never reach the hub's submit; the number of a pairing is shown elsewhere."""

    async def go() -> None:
        async with world() as it:
            asking = await it.unpaired(MEMBER)
            needed = await asking.ask(Pair("script", request_for(new_key())))
            assert isinstance(needed, NumberNeeded)
            client = await it.client(MEMBER)
            pairings = await client.ask(GetPairings())
            assert isinstance(pairings, events.Pairings)
            ((shown),) = pairings.pairings
            paired = await asking.ask(ConfirmPairing(needed.pairing, shown.number))
            assert isinstance(paired, Paired)
            assert isinstance(await client.ask(GetUsers()), events.Users)
            assert shown.number in it.gatekeeper.shown[0]

    asyncio.run(go())


def test_what_was_paired_is_let_in() -> None:
    """The certificate of the answer is good for a connection with the rights that were asked for, and no more."""

    async def go() -> None:
        async with world() as it:
            key = new_key()
            asking = await it.unpaired(ROOT)
            paired = await asking.ask(Pair("viewer", request_for(key), (Right.VIEW,)))
            assert isinstance(paired, Paired)
            client = it.connect(ROOT)
            await client.secure(Shown(key, paired.certificate))
            assert await client.ask(GetSnapshot()) == it.hub.view
            refused = await client.ask(Connect("a"))
            assert isinstance(refused, Refused)
            assert "without the right “connect”" in refused.message

    asyncio.run(go())


def test_a_wrong_number_is_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """With a line in the log for each try."""

    async def go() -> None:
        async with world() as it:
            asking = await it.unpaired(MEMBER)
            needed = await asking.ask(Pair("script", request_for(new_key())))
            assert isinstance(needed, NumberNeeded)
            for _ in range(3):
                assert isinstance(await asking.ask(ConfirmPairing(needed.pairing, "x")), Refused)

    asyncio.run(go())
    assert reasons(caplog) == [Why.PAIRING] * 3


def test_commands_at_a_time_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """A user's that aren't done yet; root's are not counted, and another user's are another's."""

    async def go() -> None:
        async with world(caps=Caps(running=2)) as it:
            gate = asyncio.Event()
            it.hub.slow[Reconnect] = gate
            waiting = [await it.client(MEMBER) for _ in range(2)]
            for client in waiting:
                await client.send(Reconnect())
            await until_async(lambda: len(it.hub.commands) == 2, TIMEOUT, "both have begun")
            refused = await (await it.client(MEMBER)).ask(Connect("a"))
            assert isinstance(refused, Refused)
            assert refused.kind is ErrorKind.LIMITED
            assert await (await it.client(OTHER)).ask(Connect("a")) == Done()
            assert await (await it.client(ROOT)).ask(Connect("a")) == Done()
            gate.set()
            for client in waiting:
                assert await client.reply(1) == Done()
            assert await waiting[0].ask(Connect("a")) == Done()

    asyncio.run(go())
    assert reasons(caplog) == [Why.COMMANDS]


def test_files_at_a_time_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Requests that are being carried out count with their size, also when their client is gone."""

    async def go() -> None:
        async with world(caps=Caps(bytes_held=120_000)) as it:
            gate = asyncio.Event()
            it.hub.slow[ImportProfile] = gate
            first, second = await it.client(MEMBER), await it.client(MEMBER)
            await first.send(ImportProfile("a", "x" * 100_000, "a.conf"))
            await until_async(lambda: bool(it.hub.commands), TIMEOUT, "it has begun")
            first.close()
            refused = await second.ask(ImportProfile("b", "x" * 22_000, "b.conf"))
            assert isinstance(refused, Refused)
            assert refused.kind is ErrorKind.LIMITED
            assert await second.ask(Connect("a")) == Done()
            gate.set()
            await until_async(lambda: it.meter(MEMBER).bytes_held == 0, TIMEOUT, "the first is done")
            assert await second.ask(ImportProfile("b", "x" * 100_000, "b.conf")) == Done()

    asyncio.run(go())
    assert reasons(caplog) == [Why.MEMORY]


def test_bulky_answers_wait_for_each_other() -> None:
    """A user who doesn't read them gets two made at a time; when one of those is dropped, it is the next one's turn."""

    async def go() -> None:
        async with world(caps=Caps(lookups=Rate(100, 100.0))) as it:
            it.hub.answers[Diagnose] = lambda _: diagnosis.Diagnosis((), {"log": "x" * 2_000_000})
            deaf = [await it.client(MEMBER) for _ in range(6)]
            for client in deaf:
                client.deafen()
                await client.send(Diagnose())
            await until_async(lambda: len(it.hub.commands) == 2, TIMEOUT, "two are made")
            assert await (await it.client(MEMBER)).ask(Connect("a")) == Done()
            assert isinstance(await (await it.client(OTHER)).ask(Diagnose()), diagnosis.Diagnosis)
            assert carried_out(it).count(Diagnose()) == 3
            deaf[0].close()
            deaf[1].close()
            await until_async(lambda: carried_out(it).count(Diagnose()) == 5, TIMEOUT, "the next two are made")

    asyncio.run(go())


def test_replays_are_made_one_at_a_time() -> None:
    """Of all users: each takes some megabytes while it is made."""

    async def go() -> None:
        async with world() as it:
            gate = it.hub.slow[Replay] = asyncio.Event()
            clients = [await it.client(MEMBER), await it.client(MEMBER), await it.client(OTHER)]
            numbers = [await client.send(Replay(b"x")) for client in clients]
            # A command that comes later is answered meanwhile, so the others have had their chance to begin.
            assert await (await it.client(OTHER)).ask(Connect("a")) == Done()
            assert carried_out(it).count(Replay(b"x")) == 1
            gate.set()
            for client, number in zip(clients, numbers, strict=True):
                assert await client.reply(number) == Done()
            assert carried_out(it).count(Replay(b"x")) == 3

    asyncio.run(go())


def test_one_replay_of_a_user_is_sent_before_the_next_is_made() -> None:
    """Who doesn't read them gets no second one; another user does."""

    async def go() -> None:
        async with world() as it:
            it.hub.answers[Replay] = lambda _: Exported("x" * 1_000_000)
            deaf, second, other = await it.client(MEMBER), await it.client(MEMBER), await it.client(OTHER)
            deaf.deafen()
            await deaf.send(Replay(b"x"))
            await until_async(lambda: carried_out(it) == [Replay(b"x")], TIMEOUT, "the first replay is made")
            await second.send(Replay(b"y"))
            assert await other.ask(Replay(b"z")) == Exported("x" * 1_000_000)
            assert Replay(b"y") not in carried_out(it)

    asyncio.run(go())
