"""The helper for programs that aren't asyncio's: a thread of its own asks and listens, and calls back with what changes.

`watcher = Watcher("tray", changed)`; `watcher.ask(Connect())` from any thread; `watcher.close()` in the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from slopn_app.client import REPLY_TIMEOUT, SLOW_DELAY, HelperClient
from slopn_app.feed import Problem, ProblemKind
from slopn_wire.commands import Command
from slopn_wire.events import Event, Result, Snapshot
from slopn_wire.logs import LogFilter, Logs

_LOG = logging.getLogger(__name__)
_END = 10.0
"""Seconds for the thread to end."""
_T = TypeVar("_T")


class Watcher:
    """One front end's link to the helper; its thread runs until `close`.

    `on_change` gets the latest whole state, or why there is none, after each change; what has changed again meanwhile is
    left out. `on_message` gets every message instead: a snapshot, then each event without a gap. Both are called on the
    watcher's thread, must be quick, and what they raise is logged. `connect` makes the client: `HelperClient` with the
    path of the socket and more.
    """

    def __init__(
        self,
        connect: Callable[[], HelperClient],
        on_change: Callable[[Snapshot | Problem], None] | None = None,
        on_message: Callable[[Snapshot | Event | Problem], None] | None = None,
        *,
        pause: float = SLOW_DELAY,
    ) -> None:
        self._connect = connect
        self._on_change = on_change
        self._on_message = on_message
        self._pause = pause
        self._client: HelperClient | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = asyncio.Event()
        self._tasks: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._main = self._submit(self._run())
        self._thread = threading.Thread(target=self._work, name="watcher", daemon=True)
        self._thread.start()

    def ask(self, command: Command, within: float = REPLY_TIMEOUT) -> Future[Result]:
        """Have `command` carried out; a refusal is a result. The future raises `Trouble`; `CancelledError` after `close`."""
        return self._submit(self._ask(command, within))

    def follow_logs(
        self, wanted: LogFilter, on_lines: Callable[[Logs | Problem], None], since: float = 0.0, after: int = 0
    ) -> Callable[[], None]:
        """Lines as `HelperClient.logs` has them, on the watcher's thread, until what this returns is called."""
        following = self._submit(self._follow(wanted, on_lines, since, after))

        def stop() -> None:
            following.cancel()

        return stop

    def give_number(self, number: str) -> None:
        """What the user typed after `ProblemKind.NUMBER_NEEDED`."""
        self._call(lambda client: client.give_number(number))

    def retry(self) -> None:
        """Try now: the user has done something about the problem, or wants to be paired."""
        self._call(lambda client: client.retry())

    def close(self) -> None:
        """Hang up; nothing is called back any more once this returns. Not from the watcher's own thread."""
        with self._lock:
            self._closed = True
            tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        self._thread.join(_END)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _run(self) -> None:
        try:
            while True:
                try:
                    await self._watch()
                except Exception as error:  # noqa: BLE001 - a tray that is deaf for good is worse than any error
                    _LOG.exception("The link to the helper broke")
                    _call(self._told, Problem(ProblemKind.FAILED, (f"The link to SloPN's service broke: {error}",)))
                self._client = None
                self._ready.clear()
                await asyncio.sleep(self._pause)
        finally:
            self._loop.call_soon(self._stop)

    async def _watch(self) -> None:
        async with self._connect() as client:
            self._client = client
            self._ready.set()
            async with asyncio.TaskGroup() as readers:
                if self._on_change is not None:
                    readers.create_task(_each(client.views(), self._on_change))
                if self._on_message is not None:
                    readers.create_task(_each(client.messages(), self._on_message))
                await asyncio.Event().wait()

    def _told(self, problem: Problem) -> None:
        for tell in (self._on_change, self._on_message):
            if tell is not None:
                tell(problem)

    async def _ask(self, command: Command, within: float) -> Result:
        return await (await self._linked()).submit(command, within)

    async def _follow(
        self, wanted: LogFilter, on_lines: Callable[[Logs | Problem], None], since: float, after: int
    ) -> None:
        await _each((await self._linked()).logs(wanted, since, after), on_lines)

    async def _linked(self) -> HelperClient:
        while self._client is None:
            await self._ready.wait()
        return self._client

    def _call(self, do: Callable[[HelperClient], None]) -> None:
        async def call() -> None:
            do(await self._linked())

        self._submit(call())

    def _submit(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        with self._lock:
            if self._closed:
                work.close()
                cancelled: Future[_T] = Future()
                cancelled.cancel()
                return cancelled
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._tasks.add(future)
        future.add_done_callback(self._done)
        return future

    def _done(self, future: Future[Any]) -> None:
        with self._lock:
            self._tasks.discard(future)

    def _stop(self) -> None:
        # What was cancelled with us gets its turn to end.
        left = [task for task in asyncio.all_tasks(self._loop) if not task.done()]
        if left:
            asyncio.gather(*left, return_exceptions=True).add_done_callback(lambda _: self._loop.stop())
        else:
            self._loop.stop()


async def _each(things: AsyncGenerator[_T], tell: Callable[[_T], None]) -> None:
    async with contextlib.aclosing(things):
        async for thing in things:
            _call(tell, thing)


def _call(tell: Callable[[_T], None], thing: _T) -> None:
    try:
        tell(thing)
    except (Exception, CancelledError):  # noqa: BLE001 - see the class
        _LOG.exception("A front end failed on what it was told")
