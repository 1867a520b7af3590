from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_app.client import HelperClient
from slopn_app.feed import Problem, ProblemKind
from slopn_app.trouble import TIMED_OUT, UNREACHABLE, Trouble
from slopn_wire.commands import Connect, GetSnapshot, Reconnect
from slopn_wire.events import Done, ErrorKind, Event, Refused, Snapshot, Stats
from support.fake_helper import FakeHelper
from support.samples import CONNECTED
from support.tray import TIMEOUT, after_problems, client, following, in_thread, run
from support.until import until, until_async


def test_commands_have_their_answers(helper: FakeHelper) -> None:
    """A command is accepted, a snapshot is the hub's, a refusal is a result; the tray is paired on the way."""
    helper.answer(Connect, Refused(ErrorKind.INVALID, "no such profile"))

    async def go() -> None:
        async with client(helper.path) as tray:
            assert await tray.submit(Reconnect()) == Done()
            assert await tray.submit(GetSnapshot()) == await in_thread(helper.run, helper.hub.snapshot)
            assert await tray.submit(Connect("x")) == Refused(ErrorKind.INVALID, "no such profile")

    run(go())
    assert sorted(device.name for device in helper.hub.devices) == ["command line", "tray"]


def test_many_commands_and_the_watch_share_a_connection(helper: FakeHelper) -> None:
    """Each has its own answer, whatever order they come in."""

    async def go() -> None:
        async with client(helper.path) as tray, following(tray.messages()) as message:
            await message()
            assert await asyncio.gather(*(tray.submit(Connect(str(number))) for number in range(20))) == [Done()] * 20
            await in_thread(helper.publish, Stats(1, 1))
            assert await message() == Event(2, Stats(1, 1))
        assert len({id(who) for who, _ in helper.hub.commands}) == 1

    run(go())


def test_messages_are_a_snapshot_then_events(helper: FakeHelper) -> None:
    """In order and without a gap."""

    async def go() -> None:
        async with client(helper.path) as tray, following(tray.messages()) as message:
            assert isinstance(await message(), Snapshot)
            await in_thread(helper.publish, Stats(1, 1), Stats(2, 2))
            assert [await message(), await message()] == [Event(2, Stats(1, 1)), Event(3, Stats(2, 2))]
            assert tray.feed.view == await in_thread(helper.run, helper.hub.snapshot)

    run(go())


def test_a_gap_is_healed(helper: FakeHelper) -> None:
    """An event whose number doesn't follow is never handed on; the state comes instead, then what follows it."""

    async def go() -> None:
        async with client(helper.path) as tray, following(tray.messages()) as message:
            assert (await message()).seq == 1

            def skip() -> None:
                helper.hub.view = replace(helper.hub.view, seq=9)
                helper.hub.publish(Stats(5, 5))

            await in_thread(helper.run, skip)
            healed = await message()
            assert isinstance(healed, Snapshot)
            assert (healed.seq, healed.stats) == (10, Stats(5, 5))
            await in_thread(helper.publish, Stats(6, 6))
            assert await message() == Event(11, Stats(6, 6))

    run(go())


def test_lagging_is_healed(tmp_path: Path) -> None:
    """A burst beyond the helper's queue: what comes through is in order, and ends with the present state."""

    async def go(helper: FakeHelper) -> None:
        async with client(helper.path) as tray, following(tray.messages()) as message:
            await message()
            await in_thread(helper.publish, *(Stats(number, 0) for number in range(1, 51)))
            seq = 1
            while seq < 51:
                latest = await message()
                assert latest.seq == seq + 1 or isinstance(latest, Snapshot)
                seq = latest.seq
            await in_thread(helper.publish, Stats(99, 0))
            assert await message() == Event(52, Stats(99, 0))

    with FakeHelper(tmp_path / "run", limit=4) as helper:
        run(go(helper))


def test_a_lost_helper_is_told_and_found_again(tmp_path: Path) -> None:
    """A problem, again and again with longer pauses, until there is a helper and with it the whole state."""

    async def go() -> list[float | None]:
        with contextlib.ExitStack() as running:
            first = FakeHelper(tmp_path)
            await in_thread(running.enter_context, first)
            async with client(first.path) as tray, following(tray.messages()) as message:
                assert (await message()).seq == 1
                await in_thread(first.stop)
                lost = [await message() for _ in range(5)]
                assert all(isinstance(each, Problem) and each.lines for each in lost)
                assert {each.kind for each in lost} == {ProblemKind.UNREACHABLE}
                assert tray.feed.view is None
                second = FakeHelper(tmp_path)
                second.hub.view = CONNECTED
                await in_thread(running.enter_context, second)
                assert await after_problems(message) == CONNECTED
                await in_thread(second.stop)
                assert (await message()).retry_in == 0.01
        return [each.retry_in for each in lost]

    assert run(go()) == [0.01, 0.02, 0.04, 0.05, 0.05]


def test_a_broken_connection_is_resumed(helper: FakeHelper) -> None:
    """The same helper is still there: the events of the meantime come one by one, none of them twice."""

    async def go() -> None:
        patient = HelperClient(helper.path, "tray", first_delay=1000.0, longest_delay=1000.0)
        async with patient as tray, following(tray.messages()) as message:
            await message()
            await in_thread(helper.publish, Stats(1, 1))
            assert await message() == Event(2, Stats(1, 1))
            assert tray._conversation is not None
            tray._conversation.close()
            assert isinstance(await message(), Problem)
            await in_thread(helper.publish, Stats(2, 2))
            tray.retry()
            resumed = await message()
            assert isinstance(resumed, Snapshot)
            assert resumed.stats == Stats(1, 1)
            assert await message() == Event(3, Stats(2, 2))

    run(go())


def test_a_command_survives_a_restart(tmp_path: Path) -> None:
    """The first helper is stopped before it has answered; the second one gets the command."""

    async def go() -> None:
        with contextlib.ExitStack() as running:
            first = FakeHelper(tmp_path)
            await in_thread(running.enter_context, first)
            async with client(first.path) as tray, asyncio.TaskGroup() as tasks:
                await tray.submit(GetSnapshot())
                await in_thread(first.run, lambda: first.hub.slow.update({Connect: asyncio.Event()}))
                asked = tasks.create_task(tray.submit(Connect("berlin")))
                await until_async(lambda: Connect("berlin") in first.commands, TIMEOUT, "the command arrives")
                await in_thread(first.stop)
                second = FakeHelper(tmp_path)
                await in_thread(running.enter_context, second)
                assert await asked == Done()
                assert second.commands == [Connect("berlin")]

    run(go())


def test_a_retry_is_not_carried_out_twice(helper: FakeHelper) -> None:
    """The connection breaks off after the command has arrived: one key, one outcome."""

    async def go() -> None:
        async with client(helper.path) as tray, asyncio.TaskGroup() as tasks:
            await tray.submit(GetSnapshot())
            await in_thread(helper.run, lambda: helper.hub.slow.update({Reconnect: asyncio.Event()}))
            asked = tasks.create_task(tray.submit(Reconnect()))
            await until_async(lambda: Reconnect() in helper.commands, TIMEOUT, "the command arrives")
            broken = tray._conversation
            assert broken is not None
            broken.close()
            await until_async(lambda: tray._conversation not in {None, broken}, TIMEOUT, "a new connection")
            await in_thread(helper.run, helper.hub.slow[Reconnect].set)
            assert await asked == Done()
        assert (await in_thread(lambda: helper.commands)).count(Reconnect()) == 1

    run(go())


def test_without_a_helper_a_command_fails_in_time(tmp_path: Path) -> None:
    """With the problem as its reason."""

    async def go() -> None:
        async with client(str(tmp_path / "none")) as tray:
            with pytest.raises(Trouble) as raised:
                await tray.submit(Connect("x"), 0.2)
        assert raised.value.kind == UNREACHABLE

    run(go())


def test_a_helper_that_does_not_answer_is_late(helper: FakeHelper) -> None:
    """The connection goes on, also when the answer that nobody waits for any more is a refusal."""
    helper.answer(Connect, Refused(ErrorKind.FAILED, "too late"))

    async def go() -> None:
        async with client(helper.path) as tray:
            await tray.submit(GetSnapshot())
            conversation = tray._conversation
            await in_thread(helper.run, lambda: helper.hub.slow.update({Connect: asyncio.Event()}))
            with pytest.raises(Trouble) as raised:
                await tray.submit(Connect("x"), 0.1)
            assert raised.value.kind == TIMED_OUT
            await in_thread(helper.run, helper.hub.slow[Connect].set)
            assert await tray.submit(Reconnect()) == Done()
            assert tray._conversation is conversation

    run(go())


def test_a_client_of_no_helper_ends_at_once(tmp_path: Path) -> None:
    """The user quits while it is waiting for the next try."""

    async def go() -> None:
        patient = HelperClient(str(tmp_path / "none"), "tray", first_delay=1000.0, longest_delay=1000.0)
        async with patient as tray, following(tray.messages()) as message:
            assert isinstance(await message(), Problem)

    run(go())


def test_what_the_caller_raises_comes_out_as_it_is(helper: FakeHelper) -> None:
    """Not in a group."""

    async def go() -> None:
        async with client(helper.path):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(go())


def test_a_closed_client_leaves_nothing_behind(helper: FakeHelper) -> None:
    """The helper forgets the subscriber."""

    async def go() -> None:
        async with client(helper.path) as tray:
            await tray.submit(GetSnapshot())

    run(go())
    until(lambda: helper.run(lambda: not helper.hub.subscribers), TIMEOUT, "the subscription ends")


def test_views_are_whole(helper: FakeHelper) -> None:
    """Each change gives the whole state, equal to the helper's own."""

    async def go() -> None:
        async with client(helper.path) as tray, following(tray.views()) as view:
            assert await view() == await in_thread(helper.run, helper.hub.snapshot)
            await in_thread(helper.publish, Stats(3, 4))
            assert await view() == await in_thread(helper.run, helper.hub.snapshot)

    run(go())
