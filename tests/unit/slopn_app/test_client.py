from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from slopn_app.client import HelperClient, Incompatible, Unreachable
from slopn_wire.codec import encode
from slopn_wire.commands import Connect, GetSnapshot
from slopn_wire.events import Done, ErrorKind, Event, LogLine, Refused, Reply, Snapshot, Stats
from slopn_wire.framing import frame
from support.fake_helper import FakeHelper
from support.samples import CONNECTED
from support.until import until

TIMEOUT = 20.0


def client(helper: FakeHelper) -> HelperClient:
    """A client that doesn't wait long between tries."""
    return HelperClient(helper.path, first_delay=0.01, longest_delay=0.05)


@contextlib.asynccontextmanager
async def within(messages: Any) -> AsyncIterator[Callable[[], Any]]:
    """The messages, closed in the end, each with a deadline."""

    async def following() -> Any:
        async with asyncio.timeout(TIMEOUT):
            return await anext(messages)

    async with contextlib.aclosing(messages):
        yield following


def in_thread(function: Callable[..., object], *arguments: object) -> Any:
    """A blocking call beside the test's loop."""
    return asyncio.to_thread(function, *arguments)


def test_a_request_has_its_answer(helper: FakeHelper) -> None:
    """A command is accepted, a snapshot is the hub's, a refusal is a result."""

    async def go() -> None:
        assert await client(helper).request(Connect("berlin")) == Done()
        assert await client(helper).request(GetSnapshot()) == Snapshot(seq=1, version="fake", since=1000.0)

    asyncio.run(go())
    helper.answer(Connect, Refused(ErrorKind.INVALID, "no such profile"))
    assert asyncio.run(client(helper).request(Connect("x"))) == Refused(ErrorKind.INVALID, "no such profile")
    assert helper.commands == [Connect("berlin"), GetSnapshot(), Connect("x")]


def test_many_requests_at_a_time(helper: FakeHelper) -> None:
    """Each has a connection of its own, and its own answer."""

    async def go() -> list[Any]:
        asked = client(helper)
        return await asyncio.gather(*(asked.request(Connect(str(number))) for number in range(20)))

    assert asyncio.run(go()) == [Done()] * 20


def test_no_helper_is_an_error_of_the_system(tmp_path: Path) -> None:
    """A caller catches `OSError`; nothing hangs."""
    with pytest.raises(FileNotFoundError):
        asyncio.run(HelperClient(str(tmp_path / "none")).request(GetSnapshot()))


def test_messages_are_a_snapshot_then_events(helper: FakeHelper) -> None:
    """In order and without a gap, log lines between them when asked for."""

    async def go() -> None:
        async with within(client(helper).messages(logs=True)) as following:
            assert isinstance(await following(), Snapshot)
            await in_thread(helper.publish, Stats(1, 1), Stats(2, 2))
            assert [await following(), await following()] == [Event(2, Stats(1, 1)), Event(3, Stats(2, 2))]
            line = LogLine(1.0, "info", "x", "hello")
            helper.logs.add(line)
            assert await following() == line

    asyncio.run(go())


def test_a_gap_is_healed_by_a_new_snapshot(helper: FakeHelper) -> None:
    """An event whose number doesn't follow is never handed on; a snapshot comes instead, then what follows it."""

    async def go() -> None:
        async with within(client(helper).messages()) as following:
            assert (await following()).seq == 1

            def skip() -> None:
                helper.hub.view = replace(helper.hub.view, seq=9)
                helper.hub.publish(Stats(5, 5))

            await in_thread(helper.run, skip)
            healed = await following()
            assert isinstance(healed, Snapshot)
            assert (healed.seq, healed.stats) == (10, Stats(5, 5))
            await in_thread(helper.publish, Stats(6, 6))
            assert await following() == Event(11, Stats(6, 6))

    asyncio.run(go())


def test_events_on_their_way_before_the_new_snapshot_are_old(tmp_path: Path) -> None:
    """After a gap one snapshot is asked for, not one for each event that still comes in between."""
    path = str(tmp_path / "x")
    sent = [
        Reply(1, Snapshot(seq=1)),
        Event(5, Stats()),
        Event(6, Stats()),
        Reply(2, Snapshot(seq=6)),
        Event(7, Stats()),
    ]

    async def go() -> None:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(path)
            listener.listen()
            listener.setblocking(False)
            loop = asyncio.get_running_loop()

            async def speak() -> None:
                peer, _ = await loop.sock_accept(listener)
                with peer:
                    await loop.sock_sendall(peer, b"".join(frame(encode(message)) for message in sent))
                    while await loop.sock_recv(peer, 1000):
                        pass

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(speak())
                async with within(HelperClient(path).messages()) as following:
                    assert [await following() for _ in range(3)] == [
                        Snapshot(seq=1),
                        Snapshot(seq=6),
                        Event(7, Stats()),
                    ]

    asyncio.run(go())


def test_lagging_is_healed_by_a_new_snapshot(tmp_path: Path) -> None:
    """A burst beyond the helper's queue: what comes through is in order, and ends with the present state."""

    async def go(helper: FakeHelper) -> None:
        async with within(client(helper).messages()) as following:
            await following()
            await in_thread(helper.publish, *(Stats(number, 0) for number in range(1, 51)))
            snapshots, seq = 0, 1
            while seq < 51:
                message = await following()
                snapshots += isinstance(message, Snapshot)
                assert message.seq == seq + 1 or isinstance(message, Snapshot)
                seq = message.seq
            assert snapshots == 1
            await in_thread(helper.publish, Stats(99, 0))
            assert await following() == Event(52, Stats(99, 0))

    with FakeHelper(tmp_path / "run", limit=4) as helper:
        asyncio.run(go(helper))


def test_a_lost_helper_is_told_and_found_again(tmp_path: Path) -> None:
    """Unreachable, again and again with longer pauses, until there is a helper and with it a new snapshot."""

    async def go() -> list[float]:
        first = FakeHelper(tmp_path)
        with contextlib.ExitStack() as running:
            await in_thread(running.enter_context, first)
            async with within(client(first).messages()) as following:
                assert (await following()).seq == 1
                await in_thread(running.close)
                lost = [await following() for _ in range(5)]
                assert all(isinstance(message, Unreachable) and message.reason for message in lost)
                second = FakeHelper(tmp_path)
                second.hub.view = CONNECTED
                await in_thread(running.enter_context, second)
                while isinstance(message := await following(), Unreachable):
                    pass
                assert message == CONNECTED
                await in_thread(running.close)
                assert (await following()).retry_in == 0.01
        return [message.retry_in for message in lost]

    assert asyncio.run(go()) == [0.01, 0.02, 0.04, 0.05, 0.05]


def test_a_helper_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """The tray may start before the helper."""

    async def go() -> None:
        late = FakeHelper(tmp_path)
        async with within(client(late).messages()) as following:
            assert isinstance(await following(), Unreachable)
            with contextlib.ExitStack() as running:
                await in_thread(running.enter_context, late)
                message = await following()
                while isinstance(message, Unreachable):
                    message = await following()
                assert isinstance(message, Snapshot)
                await in_thread(running.close)

    asyncio.run(go())


def test_a_closed_watch_leaves_nothing_behind(helper: FakeHelper) -> None:
    """The helper forgets the subscriber."""

    async def go() -> None:
        async with within(client(helper).messages()) as following:
            await following()

    asyncio.run(go())
    until(lambda: helper.run(lambda: not helper.hub.subscribers), TIMEOUT, "the subscription ends")


def test_views_are_whole(helper: FakeHelper) -> None:
    """Each change gives the whole state, equal to the helper's own."""

    async def go() -> None:
        async with within(client(helper).views()) as following:
            assert await following() == helper.run(helper.hub.snapshot)
            await in_thread(helper.publish, Stats(3, 4))
            assert await following() == helper.run(helper.hub.snapshot)

    asyncio.run(go())


def test_views_tell_of_a_lost_helper(tmp_path: Path) -> None:
    """What was known holds no more."""

    async def go() -> None:
        async with within(client(FakeHelper(tmp_path)).views()) as following:
            assert isinstance(await following(), Unreachable)

    asyncio.run(go())


def test_another_major_version_is_refused(helper: FakeHelper) -> None:
    """With a sentence that says what to do."""
    helper.show(Snapshot(protocol=(2, 0)))

    async def watch() -> None:
        async with within(client(helper).messages()) as following:
            await following()

    for attempt in (watch(), client(helper).request(GetSnapshot())):
        with pytest.raises(Incompatible, match="version 2 of the protocol, this program version 1"):
            asyncio.run(attempt)


def test_another_minor_version_is_fine(helper: FakeHelper) -> None:
    """It only adds."""
    helper.show(Snapshot(protocol=(1, 7)))
    assert asyncio.run(client(helper).request(GetSnapshot())) == Snapshot(protocol=(1, 7))


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02{}", b'\x00\x00\x00\x04"\xff\xff"'])
def test_a_server_that_is_no_helper_is_refused(tmp_path: Path, raw: bytes) -> None:
    """Rubbish from the socket is an error that says so, not a crash and not a loop."""
    path = str(tmp_path / "x")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(path)
        listener.listen()

        async def go() -> None:
            loop = asyncio.get_running_loop()
            listener.setblocking(False)

            async def speak() -> None:
                peer, _ = await loop.sock_accept(listener)
                with peer:
                    await loop.sock_sendall(peer, raw)
                    await loop.sock_recv(peer, 100)

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(speak())
                with pytest.raises(Incompatible, match="makes no sense"):
                    await HelperClient(path).request(GetSnapshot())

        asyncio.run(go())


def test_a_forbidden_socket_ends_the_watch(helper: FakeHelper) -> None:
    """Trying again wouldn't help: `PermissionError` comes through. (The refusal is the kernel's, so another user asks.)"""
    folder = Path(helper.path).parent
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)

    async def go() -> None:
        async with within(client(helper).messages()) as following:
            await following()

    before = os.geteuid()
    os.seteuid(65534)
    try:
        with pytest.raises(PermissionError):
            asyncio.run(go())
    finally:
        os.seteuid(before)


def test_a_refused_watch_ends_it(helper: FakeHelper, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that knows the caller and won't have him says so once."""
    monkeypatch.setattr("slopn_helper.ipc.server.refusal", lambda *_: Refused(ErrorKind.NOT_PERMITTED, "not you"))

    async def go() -> None:
        async with within(client(helper).messages()) as following:
            await following()

    with pytest.raises(PermissionError, match="not you"):
        asyncio.run(go())
