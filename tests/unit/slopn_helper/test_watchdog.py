from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from slopn_helper import undo, watchdog
from slopn_helper.tunnel import driver

HEAD = """
import asyncio, ctypes, os, threading, time
from slopn_helper import watchdog

async def innermost():
    await asyncio.Event().wait()

async def outermost():
    await innermost()

def teardown_in_a_thread():
    time.sleep(600)
"""
BLOCKED = """
async def main():
    watchdog.start(asyncio.get_running_loop(), 0.2)
    async with asyncio.TaskGroup() as group:
        group.create_task(outermost(), name="stuck")
        await asyncio.sleep(0)
        teardown_in_a_thread()
asyncio.run(main())
"""
WAITS_FOR_A_THREAD = """
async def main():
    watchdog.start(asyncio.get_running_loop(), 0.5)
    asyncio.get_running_loop().run_in_executor(None, teardown_in_a_thread)
asyncio.run(main())
"""
NOBODY_READS = """
reader, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True: os.write(writer, b"x" * 4096)
except BlockingIOError:
    os.set_blocking(writer, True)
watchdog._TELLING = 0.2
async def main():
    watchdog.start(asyncio.get_running_loop(), 0.2, descriptor=writer)
    await outermost()
asyncio.run(main())
"""
NEVER_GIVES_BACK = """
watchdog._TELLING = 0.2
async def main():
    watchdog.start(asyncio.get_running_loop(), 0.2)
    ctypes.PyDLL(None).pause()
asyncio.run(main())
"""
ENDS = """
async def main():
    watchdog.start(asyncio.get_running_loop(), 60)
asyncio.run(main())
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: it dies."""
    return subprocess.run([sys.executable, "-c", HEAD + body], capture_output=True, text=True, check=False, timeout=60)


def test_a_blocked_loop() -> None:
    """Every thread's stack, every task with what it waits for, and the end, in that order."""
    done = run(BLOCKED)
    assert done.returncode == watchdog.HUNG
    threads, _, tasks = done.stderr.partition("Task ")
    assert "didn't end within 0.2 s" in threads
    assert "in teardown_in_a_thread" in threads
    assert "stuck:\n" in tasks
    assert tasks.index("in outermost") < tasks.index("in innermost") < tasks.index("in Event.wait")
    assert tasks.index("in innermost") < tasks.index("It ends now.")


def test_a_thread_that_is_waited_for_at_the_end() -> None:
    """The loop is done with its work, and still nothing ends: an executor's thread hangs."""
    done = run(WAITS_FOR_A_THREAD)
    assert done.returncode == watchdog.HUNG
    assert "in teardown_in_a_thread" in done.stderr


def test_words_that_nobody_reads() -> None:
    """A full pipe keeps nobody alive."""
    assert run(NOBODY_READS).returncode == watchdog.HUNG


def test_a_call_that_never_gives_the_interpreter_back() -> None:
    """No Python runs any more: the stacks are there all the same."""
    done = run(NEVER_GIVES_BACK)
    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert "in main" in done.stderr


def test_one_that_ends_in_order() -> None:
    """Nothing is said, and nobody waits."""
    done = run(ENDS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_times_fit_each_other() -> None:
    """The orderly end gets its time before the hard one, and that comes before whoever waits for either."""
    assert driver.STOP_WITHIN < watchdog.WITHIN < undo.TERM_WITHIN


async def _numbers() -> AsyncIterator[int]:
    await asyncio.sleep(60)
    yield 1


async def _reads() -> None:
    async for _ in _numbers():
        pass


@pytest.mark.parametrize("told_to_end", [False, True])
def test_a_task_that_waits_for_another(*, told_to_end: bool) -> None:
    """It is named; so are a generator's reader and who was told to end but doesn't."""

    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    async def scenario() -> list[str]:
        loop = asyncio.get_running_loop()
        other = loop.create_task(stubborn(), name="other")
        waits = loop.create_task(asyncio.wait([other]), name="waits")
        direct = loop.create_task(_await(other), name="direct")
        reads = loop.create_task(_reads(), name="reads")
        await asyncio.sleep(0.01)
        if told_to_end:
            other.cancel()
            await asyncio.sleep(0.01)
        found = watchdog.tasks_of(loop)
        for task in (waits, direct, reads, other):
            task.cancel()
            task.cancel()
        await asyncio.sleep(0)
        other.cancel()
        return found

    found = asyncio.run(scenario())
    assert "  the task other" in found
    assert f"Task other{', told to end' if told_to_end else ''}:" in found
    assert any(line.endswith("in _reads") for line in found)


async def _await(task: asyncio.Task[None]) -> None:
    await task


def test_what_is_no_coroutine_ends_the_chain() -> None:
    """A future says its kind; nothing says nothing."""

    async def scenario() -> list[str]:
        return watchdog.await_chain(asyncio.get_running_loop().create_future())

    assert asyncio.run(scenario()) == ["a Future"]
    assert watchdog.await_chain(None) == []
