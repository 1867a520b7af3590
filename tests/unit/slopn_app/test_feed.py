from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from msgspec.structs import replace

from slopn_app import feed as module
from slopn_app.feed import Feed, Problem, ProblemKind
from slopn_wire.codec import encode
from slopn_wire.events import Event, Snapshot, Stats

TIMEOUT = 20.0
GONE = Problem(ProblemKind.UNREACHABLE, ("It is gone.",), 0.1)


def run(test: Coroutine[Any, Any, None]) -> None:
    """With a deadline."""

    async def bounded() -> None:
        async with asyncio.timeout(TIMEOUT):
            await test

    asyncio.run(bounded())


def stats(feed: Feed, number: int) -> None:
    """The next event."""
    assert feed.view is not None
    event = Event(feed.view.seq + 1, Stats(number, 0))
    feed.publish(replace(feed.view, seq=event.seq, stats=event.body), event)


def test_messages_begin_with_what_is_known() -> None:
    """A late reader gets the state, then each change in order."""

    async def go() -> None:
        feed = Feed()
        feed.publish(Snapshot(seq=1), Snapshot(seq=1))
        async with contextlib.aclosing(feed.messages()) as messages:
            assert await anext(messages) == Snapshot(seq=1)
            stats(feed, 1)
            stats(feed, 2)
            assert [await anext(messages), await anext(messages)] == [Event(2, Stats(1)), Event(3, Stats(2))]
            feed.publish(None, GONE)
            assert await anext(messages) == GONE
        async with contextlib.aclosing(feed.messages()) as messages:
            assert await anext(messages) == GONE

    run(go())


def test_messages_wait_for_the_first() -> None:
    """Nothing is known yet: nothing comes, until it does."""

    async def go() -> None:
        feed = Feed()
        async with contextlib.aclosing(feed.messages()) as messages, asyncio.TaskGroup() as tasks:
            first = tasks.create_task(anext(messages))
            await asyncio.sleep(0)
            assert not first.done()
            feed.publish(Snapshot(seq=7), Snapshot(seq=7))
            assert await first == Snapshot(seq=7)

    run(go())


def test_a_busy_reader_gets_the_whole_instead_of_what_it_missed() -> None:
    """What waits for one reader is bounded; no event follows the snapshot with a gap; other readers miss nothing."""

    async def go() -> None:
        feed = Feed()
        feed.publish(Snapshot(seq=1), Snapshot(seq=1))
        async with contextlib.aclosing(feed.messages()) as slow:
            await anext(slow)
            for number in range(module.MOST_WAITING + 5):
                stats(feed, number)
            healed = await anext(slow)
            assert isinstance(healed, Snapshot)
            assert healed.seq == module.MOST_WAITING + 2
            following = await anext(slow)
            assert isinstance(following, Event)
            assert following.seq == healed.seq + 1

    run(go())


def test_views_are_the_latest_alone() -> None:
    """Whatever changed twice between two reads is read once."""

    async def go() -> None:
        feed = Feed()
        async with contextlib.aclosing(feed.views()) as views:
            feed.publish(Snapshot(seq=1), Snapshot(seq=1))
            assert await anext(views) == Snapshot(seq=1)
            stats(feed, 1)
            stats(feed, 2)
            latest = await anext(views)
            assert latest == Snapshot(seq=3, stats=Stats(2))
            feed.publish(None, GONE)
            assert await anext(views) == GONE

    run(go())


def test_two_readers_are_two() -> None:
    """The end of one is not the end of the other, though their queues may be equal."""

    async def go() -> None:
        feed = Feed()
        feed.publish(Snapshot(seq=1), Snapshot(seq=1))
        async with contextlib.aclosing(feed.messages()) as one, contextlib.aclosing(feed.messages()) as other:
            await anext(one)
            await anext(other)
            await one.aclose()
            stats(feed, 1)
            assert await anext(other) == Event(2, Stats(1))
        assert feed._queues == []

    run(go())


def test_a_problem_can_be_shown_to_a_page() -> None:
    """It has a tag like all that goes over a wire."""
    assert encode(GONE) == (
        b'{"type":"problem","kind":"unreachable","lines":["It is gone."],"retry_in":0.1,"expires":null}'
    )
