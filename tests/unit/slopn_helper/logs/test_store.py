from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.logs.store import BATCH_BYTES, LogReader, LogStore
from slopn_wire.codec import encode
from slopn_wire.logs import LogFilter, LogLevel, Logs

COST = 400
"""More than a line of a few letters takes in the ring."""


def filled(*messages: str, limit: int = 1 << 20) -> LogStore:
    """A store with these lines, one a second."""
    store = LogStore(limit)
    for at, message in enumerate(messages):
        store.add(float(at), "info", "test", message)
    return store


def said(logs: Logs) -> list[str]:
    """The messages."""
    return [line.message for line in logs.lines]


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    """`test`, within ten seconds."""
    asyncio.run(asyncio.wait_for(test(), 10))


def test_lines_are_numbered_from_one() -> None:
    """In the order in which they were added, also from many threads at once."""
    store = LogStore()
    threads = [
        threading.Thread(target=lambda: [store.add(0.0, "info", "test", "x") for _ in range(500)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line.number for line in store.lines().lines] == list(range(1, 2001))


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (LogFilter(), [1, 2, 3, 4, 5]),
        (LogFilter(level=LogLevel.WARNING), [3, 4, 5]),
        (LogFilter(component="tunnel"), [1, 2]),
        (LogFilter(component="tunnel.driver"), [2]),
        (LogFilter(text="GATEWAY"), [2, 4]),
        (LogFilter(LogLevel.ERROR, "ipc", "straße"), [5]),
    ],
)
def test_lines_are_filtered(wanted: LogFilter, numbers: list[int]) -> None:
    """By level and graver, by component and those below it, by text in any case."""
    store = LogStore()
    for level, component, message in (
        ("debug", "tunnel", "up"),
        ("info", "tunnel.driver", "the gateway answers"),
        ("warning", "tunnels", "down"),
        ("error", "engine", "no Gateway"),
        ("critical", "ipc", "In der STRASSE"),
    ):
        store.add(1.0, level, component, message)
    assert [line.number for line in store.lines(wanted).lines] == numbers


def test_lines_are_given_from_a_time_on() -> None:
    """Unix seconds, inclusive."""
    assert said(filled("a", "b", "c").lines(since=1.0)) == ["b", "c"]


def test_the_ring_forgets_the_oldest_and_says_how_many() -> None:
    """Its size is bounded in bytes; who asks for a time after those gets them all."""
    store = filled(*(f"line {number}" for number in range(100)), limit=10 * COST)
    found = store.lines()
    assert 10 <= len(found.lines) < 20
    assert found.missed + len(found.lines) == 100
    assert found.lines[-1].number == 100
    assert store.lines(since=98.0).missed == 0
    store.add(100.0, "info", "test", "x" * 10 * COST)
    assert store.lines() == Logs((), 101)


def test_the_ring_counts_what_a_line_takes_on_the_wire() -> None:
    """Quotes take twice their room there: whoever can have them logged can't double what an answer is."""
    store = LogStore(100_000)
    for number in range(100):
        store.add(float(number), "info", "test", '"' * 4000)
    assert len(encode(store.lines())) < 100_000 + 10_000


def test_what_is_read_names_the_run() -> None:
    """Numbers begin anew with each start of the helper."""
    store = filled("a")
    store.epoch = "run"
    assert store.lines().epoch == "run"


def test_a_reader_begins_with_what_is_there_and_goes_on() -> None:
    """No line is missing between the two, also from another thread."""

    async def go() -> None:
        store = filled("one")
        with store.reader() as reader:
            assert said(await reader.batch()) == ["one"]
            thread = threading.Thread(target=store.add, args=(1.0, "info", "test", "two"))
            thread.start()
            assert said(await reader.batch()) == ["two"]
            thread.join()

    run(go)


@pytest.mark.parametrize(("after", "first"), [(0, "a"), (1, "b"), (2, "c"), (99, "a")])
def test_a_reader_goes_on_where_another_ended(after: int, first: str) -> None:
    """A number that isn't reached yet is of another run, and then all lines are wanted."""

    async def go() -> None:
        with filled("a", "b", "c").reader(after=after) as reader:
            assert said(await reader.batch())[0] == first

    run(go)


def test_a_reader_gets_what_it_wants() -> None:
    """It isn't woken up for others to no purpose: its batch ends with a line that matches."""

    async def go() -> None:
        store = filled("a", "b")
        with store.reader(LogFilter(level=LogLevel.ERROR)) as reader:
            async with asyncio.TaskGroup() as tasks:
                batch = tasks.create_task(reader.batch())
                await asyncio.sleep(0)
                store.add(2.0, "info", "test", "c")
                await asyncio.sleep(0)
                assert not batch.done()
                store.add(3.0, "error", "test", "d")
            assert [line.number for line in batch.result().lines] == [4]
            assert batch.result().missed == 0

    run(go)


def test_a_slow_reader_learns_how_much_it_missed() -> None:
    """Once, with the first lines that are still there."""

    async def go() -> None:
        store = LogStore(10 * COST)
        with store.reader() as reader:
            for number in range(100):
                store.add(float(number), "info", "test", f"line {number}")
            first = await reader.batch()
            assert first.missed + len(first.lines) == 100
            assert first.missed > 80
            store.add(100.0, "info", "test", "again")
            assert await reader.batch() == Logs((store.lines().lines[-1],))

    run(go)


def test_a_large_backlog_comes_in_batches() -> None:
    """Each is about as large as a frame should be, and none is lost between them."""

    async def go() -> None:
        store = filled(*("x" * 1000 for _ in range(500)))
        with store.reader() as reader:
            sizes: list[int] = []
            while sum(sizes) < 500:
                batch = await reader.batch()
                assert sum(len(line.message) for line in batch.lines) <= BATCH_BYTES + 1000
                sizes.append(len(batch.lines))
        assert len(sizes) > 5

    run(go)


def test_many_readers_are_woken_once_for_many_lines() -> None:
    """A line costs the loop nothing more while it hasn't had its turn."""

    async def go() -> None:
        store = LogStore()
        loop = asyncio.get_running_loop()
        calls: list[object] = []
        original = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *call, **more: (calls.append(call), original(*call, **more))[1]  # type: ignore[method-assign, func-returns-value]
        readers = [store.reader() for _ in range(20)]
        for reader in readers:
            reader.__enter__()
        async with asyncio.TaskGroup() as tasks:
            batches = [tasks.create_task(reader.batch()) for reader in readers]
            await asyncio.sleep(0)
            for number in range(100):
                store.add(float(number), "info", "test", "x")
        assert [len(batch.result().lines) for batch in batches] == [100] * 20
        assert len(calls) == 1

    run(go)


def test_a_cancelled_reader_wakes_the_others_all_the_same() -> None:
    """They wait for the same thing."""

    async def go() -> None:
        store = LogStore()
        with store.reader() as one, store.reader() as two:
            async with asyncio.TaskGroup() as tasks:
                gone, stays = tasks.create_task(one.batch()), tasks.create_task(two.batch())
                await asyncio.sleep(0)
                gone.cancel()
                await asyncio.sleep(0)
                store.add(0.0, "info", "test", "a")
            assert said(stays.result()) == ["a"]

    run(go)


def test_readers_that_left_are_forgotten() -> None:
    """After their contexts a line wakes no loop, and a closed loop is no error for the next log call."""
    store = LogStore()
    kept: list[LogReader] = []

    async def go() -> None:
        with store.reader() as reader:
            kept.append(reader)
        assert store._bells == {}
        store.reader().__enter__()

    run(go)
    store.add(0.0, "info", "test", "after")
    assert said(store.lines()) == ["after"]

    async def again() -> None:
        with store.reader() as reader:
            assert said(await reader.batch()) == ["after"]
            assert len(store._bells) == 1

    run(again)


def test_a_reader_is_a_context() -> None:
    """It says so to who forgets."""

    async def go() -> None:
        with pytest.raises(RuntimeError, match="context"):
            await LogStore().reader().batch()

    run(go)


@given(st.lists(st.tuples(st.sampled_from(["debug", "error"]), st.integers(0, 300)), max_size=60), st.integers(1, 40))
def test_a_reader_gets_every_line_or_its_count(lines: list[tuple[str, int]], pause: int) -> None:
    """Whatever comes between its batches: numbers rise, and each line that is wanted is there or among the missed."""

    async def go() -> None:
        store = LogStore(20 * COST)
        seen: list[int] = []
        missed = 0
        with store.reader() as reader:
            for number, (level, size) in enumerate(lines, 1):
                store.add(0.0, level, "test", "x" * size)
                if number % pause == 0 or number == len(lines):
                    batch = await reader.batch()
                    seen += [line.number for line in batch.lines]
                    missed += batch.missed
                    assert seen == sorted(seen)
        assert len(seen) + missed == len(lines)

    run(go)
