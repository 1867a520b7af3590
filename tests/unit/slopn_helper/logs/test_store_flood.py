"""Many lines at once cost a reader little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from slopn_helper.logs.store import LogStore
from support.until import until_async


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    """`test`, within ten seconds."""
    asyncio.run(asyncio.wait_for(test(), 10))


def test_a_flood_comes_in_few_batches() -> None:
    """While lines come one by one, a reader that waits for them gets several at a time after the first."""

    async def go() -> None:
        store = LogStore()
        batches = []

        async def read() -> None:
            with store.reader() as reader:
                while True:
                    batches.append(len((await reader.batch()).lines))

        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(read())
            await asyncio.sleep(0)
            for _ in range(200):
                store.add(0.0, "info", "test", "x")
                await asyncio.sleep(0)
            await until_async(lambda: sum(batches) == 200, 5, "all are read")
            reading.cancel()
        assert batches[0] < 5
        assert len(batches) < 20

    run(go)
