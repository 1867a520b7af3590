"""A helper without a tunnel: the real server, session and socket over a hub that a test scripts.

`with FakeHelper(folder) as helper:` listens at `helper.path` from a thread of its own, so that a test may call the
command line's blocking code beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from msgspec.structs import replace

from slopn_helper.ipc.endpoints.unix import UnixEndpoint
from slopn_helper.ipc.server import SEND_TIMEOUT, Server
from slopn_helper.logs import LogStore
from slopn_helper.principal import Principal
from slopn_wire.commands import Command, GetLogs, GetSnapshot, Watch
from slopn_wire.events import (
    Done,
    ErrorKind,
    Event,
    EventBody,
    Lagged,
    Logs,
    Refused,
    Result,
    Snapshot,
    StateChanged,
)
from slopn_wire.fold import fold
from slopn_wire.state import TunnelState

Answer = Callable[[Command], Result]
_T = TypeVar("_T")
_START = 10.0


class FakeSubscription:
    """A bounded queue of events, as the hub's own."""

    def __init__(self, hub: FakeHub, limit: int) -> None:
        self.snapshot = hub.snapshot()
        self._hub = hub
        self._limit = limit
        self._events: deque[Event] = deque()
        self._wake = asyncio.Event()
        self.lagged = False

    def __enter__(self) -> Self:
        self._hub.subscribers.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._hub.subscribers.remove(self)

    def push(self, event: Event) -> None:
        """Queue `event`; beyond the limit the reader has lagged."""
        if len(self._events) >= self._limit:
            self.lagged = True
            self._events.clear()
        elif not self.lagged:
            self._events.append(event)
        self._wake.set()

    async def next(self) -> Event | Lagged:
        """The next event, or `Lagged`."""
        while not self._events:
            if self.lagged:
                return Lagged()
            self._wake.clear()
            await self._wake.wait()
        return self._events.popleft()


class FakeHub:
    """A hub whose answers a test sets and whose events a test publishes. To be used on its loop's thread alone."""

    def __init__(self, logs: LogStore, limit: int = 256) -> None:
        self.view = Snapshot(seq=1, version="fake", since=1000.0)
        self.commands: list[tuple[Principal, Command]] = []
        self.subscribers: list[FakeSubscription] = []
        self.answers: dict[type[Command], Answer] = {}
        self._logs = logs
        self._limit = limit

    def snapshot(self) -> Snapshot:
        """The whole, as of the last event."""
        return self.view

    def subscribe(self) -> FakeSubscription:
        """A reader of what is published from now on."""
        return FakeSubscription(self, self._limit)

    async def submit(self, who: Principal, command: Command) -> Result:
        """Note the command; answer as scripted, else as a hub that accepts everything."""
        self.commands.append((who, command))
        if type(command) in self.answers:
            return self.answers[type(command)](command)
        match command:
            case GetSnapshot():
                return self.view
            case GetLogs(since=since, level=level):
                try:
                    return Logs(self._logs.lines(since, level))
                except ValueError as error:
                    return Refused(ErrorKind.INVALID, str(error))
            case Watch():
                raise AssertionError("the server answers a watch itself")
            case _:
                return Done()

    def publish(self, *bodies: EventBody) -> None:
        """The next events."""
        for body in bodies:
            event = Event(self.view.seq + 1, body)
            self.view = fold(self.view, event)
            self.send(event)

    def send(self, event: Event) -> None:
        """An event as it is, whether or not its number fits."""
        for subscriber in self.subscribers:
            subscriber.push(event)


class FakeHelper:
    """The fake behind `folder`/helper.sock; a context. What is called here is safe from the test's thread."""

    def __init__(self, folder: Path, *, limit: int = 256, send_timeout: float = SEND_TIMEOUT) -> None:
        self.logs = LogStore()
        self.hub = FakeHub(self.logs, limit)
        self._folder = folder
        self._send_timeout = send_timeout
        self._thread = threading.Thread(target=self._main, name="fake helper")
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None

    @property
    def path(self) -> str:
        """The socket's path, for $SLOPN_SOCKET."""
        return str(self._folder / "helper.sock")

    @property
    def commands(self) -> list[Command]:
        """What clients have submitted so far."""
        return self.run(lambda: [command for _, command in self.hub.commands])

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(_START), "the fake helper didn't start"
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """As if the helper had been stopped: its clients are cut off, its socket is gone. Twice does no harm."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START)
        assert not self._thread.is_alive(), "the fake helper didn't stop"
        if self._failure is not None:
            raise self._failure

    def run(self, function: Callable[[], _T]) -> _T:
        """Call `function` on the helper's own thread, between its tasks."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(_call(function), self._loop).result(_START)

    def answer(self, kind: type[Command], answer: Answer | Result) -> None:
        """From now on commands of `kind` get `answer`, or what it returns for them."""
        scripted = answer if callable(answer) else lambda _: answer
        self.run(lambda: self.hub.answers.update({kind: scripted}))

    def show(self, view: Snapshot) -> None:
        """Replace the hub's view, with no event."""

        def change() -> None:
            self.hub.view = view

        self.run(change)

    def publish(self, *bodies: EventBody) -> None:
        """Events, one after the other without a pause."""
        self.run(lambda: self.hub.publish(*bodies))

    def state(self, state: TunnelState, **changes: object) -> StateChanged:
        """The event that leads from the present view to `state`; `changes` replace its other fields."""
        view = self.run(self.hub.snapshot)
        event = StateChanged(state, time.time(), view.target, view.target_profile, view.policy, view.live)
        return replace(event, **changes)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the test's thread
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = Server(UnixEndpoint(self._folder, None), self.hub, self.logs, None, send_timeout=self._send_timeout)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.run())
            self._started.set()
            await self._stop.wait()
            serving.cancel()


async def _call(function: Callable[[], _T]) -> _T:
    return function()
