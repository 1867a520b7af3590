"""A helper without a tunnel: the real server, gatekeeper and socket over a hub that a test scripts.

`with FakeHelper(folder) as helper:` listens at `helper.path` from a thread of its own, so that a test may call the
command line's blocking code beside it. What is paired lasts as long as `folder`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from msgspec.structs import replace

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.conversation import Timing
from slopn_helper.ipc.endpoints.unix import UnixEndpoint
from slopn_helper.ipc.limits import Caps
from slopn_helper.ipc.server import Server
from slopn_helper.ipc.sockets import SocketConnection
from slopn_wire.commands import Command
from slopn_wire.devices import UserBasis
from slopn_wire.events import EventBody, Result, Snapshot, StateChanged
from slopn_wire.state import TunnelState
from support.fake_hub import Answer, FakeGatekeeper, FakeHub, FakeLogs, FakeUsers

_T = TypeVar("_T")
_START = 10.0
SOMEBODY = 1000
"""The uid that clients have for a helper which is `posing`."""


class FakeHelper:
    """The fake behind `folder`/helper.sock; a context. What is called here is safe from the test's thread.

    `everybody`: the socket lets in all users, not the group alone.
    `posing`: whoever connects is taken for the user `SOMEBODY`, who is in the group and must repeat a number to be paired,
    else for root or the user who runs the test, who needn't.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit: int = 256,
        send_timeout: float = 10.0,
        everybody: bool = False,
        posing: bool = False,
        caps: Caps | None = None,
    ) -> None:
        self.hub = FakeHub(limit)
        self.logs = FakeLogs(self.hub)
        self.users = FakeUsers(root=(0, UserBasis.ROOT), somebody=(SOMEBODY, UserBasis.GROUP))
        if os.geteuid() not in self.users.users:
            self.users.users[os.geteuid()] = replace(self.users.users[0], uid=os.geteuid(), name="tester")
        self._folder = folder
        self._timing = Timing(send=send_timeout)
        self._caps = caps
        self._everybody = everybody
        self._posing = posing
        self._gatekeeper: FakeGatekeeper | None = None
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
    def gatekeeper(self) -> FakeGatekeeper:
        """With the authority, the registry, and the numbers that were `shown`."""
        assert self._gatekeeper is not None
        return self._gatekeeper

    @property
    def commands(self) -> list[Command]:
        """What clients have submitted so far, but for pairing and watching."""
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

    def answer(self, kind: type, answer: Answer | Result) -> None:
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
        event = StateChanged(
            state, time.time(), view.target, view.target_profile, view.paused_until, view.policy, view.live
        )
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
        endpoint = _Posing(self._folder, None) if self._posing else UnixEndpoint(self._folder, None)
        endpoint.open_to_all(self._everybody)
        state = self._folder / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        self._gatekeeper = FakeGatekeeper(state, os.geteuid(), self.users, self.hub, time.time())
        server = Server(
            endpoint,
            self._gatekeeper.authority,
            self._gatekeeper,
            self.hub,
            self.logs,
            user=self.users.name,
            caps=self._caps,
            timing=self._timing,
        )
        async with asyncio.TaskGroup() as tasks:
            serving = [tasks.create_task(server.run()), tasks.create_task(self._gatekeeper.run())]
            self._started.set()
            await self._stop.wait()
            for task in serving:
                task.cancel()


class _Posing(UnixEndpoint):
    async def accept(self) -> SocketConnection:
        connection = await super().accept()
        peer = connection.peer
        connection.peer = Credentials(SOMEBODY, SOMEBODY, pid=peer.pid, exe=peer.exe, session=peer.session)
        return connection


async def _call(function: Callable[[], _T]) -> _T:
    return function()
