"""The same with everything real between them: server, TLS and socket, and the client that tray and window use."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from model.test_views_stateful import Ring
from slopn_app.client import HelperClient
from slopn_app.feed import Problem
from slopn_helper.hub import Hub
from slopn_helper.ipc.devices import DeviceBook
from slopn_helper.ipc.endpoints.unix import UnixEndpoint
from slopn_helper.ipc.gatekeeper import Gatekeeper
from slopn_helper.ipc.pki import Authority
from slopn_helper.ipc.server import Server
from slopn_helper.logs import LogStore
from slopn_helper.principal import Principal
from slopn_wire.commands import Command
from slopn_wire.devices import UserBasis
from slopn_wire.events import Done, Event, Network, Result, Snapshot, Stats
from slopn_wire.profile import Profile
from slopn_wire.settings import Settings
from slopn_wire.state import TargetState
from support.fake_hub import FakeUsers
from support.until import until_async
from support.wire import values

History = dict[tuple[str, int], Snapshot]
CLIENTS = 3
WITHIN = 30.0


class WholeHub(Hub):
    """The real one, and nothing behind it that could carry out a command."""

    async def submit(self, who: Principal, command: Command) -> Result:
        """Accepted."""
        assert who.device is not None, command
        return Done()


class Helper:
    """A helper that can be killed and started again; what it has on disk stays."""

    def __init__(self, folder: Path, tasks: asyncio.TaskGroup, history: History) -> None:
        self._folder = folder
        self._tasks = tasks
        self._history = history
        self._running: list[asyncio.Task[None]] = []
        self.hub: WholeHub

    async def start(self) -> None:
        """With a hub that knows nothing yet, and a ring that a burst runs over."""
        self.hub = WholeHub()
        self.hub.start(
            profiles=(),
            settings=Settings(),
            target=TargetState.UNSECURED,
            target_profile=None,
            paused_until=None,
            stored=(),
        )
        self.hub._ring = Ring(self.hub, self._history)
        state = self._folder / "state"
        state.mkdir(mode=0o700, exist_ok=True, parents=True)
        authority = Authority.open(state, time.time(), os.geteuid())
        book = DeviceBook.open(state, authority.fingerprint, os.geteuid())
        users = FakeUsers(root=(0, UserBasis.ROOT), me=(os.geteuid(), UserBasis.GROUP))
        gatekeeper = Gatekeeper(authority, book, users, self.hub, show=lambda _: None, prefix=None)
        endpoint = UnixEndpoint(self._folder, None)
        server = Server(endpoint, authority, gatekeeper, self.hub, LogStore(), user=users.name)
        self._running = [self._tasks.create_task(server.run()), self._tasks.create_task(gatekeeper.run())]

    async def stop(self) -> None:
        """Every connection breaks."""
        for task in self._running:
            task.cancel()
        await asyncio.wait(self._running)


class Shown(HelperClient):
    """A client that checks what it would show: nothing that never was, and events without a gap."""

    def __init__(self, path: str, front_end: str, history: History) -> None:
        super().__init__(path, front_end, first_delay=0.01, longest_delay=0.05, slow_delay=0.1)
        self._history = history
        self._last: Snapshot | None = None
        self.wrong: list[str] = []
        self.feed.publish = self._check(self.feed.publish)  # type: ignore[method-assign]

    def _check(self, publish: Any) -> Any:
        def checked(view: Snapshot | None, message: Snapshot | Event | Problem) -> None:
            if view is not None and view != self._history.get((view.epoch, view.seq)):
                self.wrong.append(f"a state that never was: {view}")
            if isinstance(message, Event) and (self._last is None or message.seq != self._last.seq + 1):
                self.wrong.append(f"event {message.seq} after {self._last}")
            self._last = view
            publish(view, message)

        return checked


class Scene:
    """One helper, some front ends, and what happens to them."""

    def __init__(self, helper: Helper, clients: list[Shown]) -> None:
        self.helper = helper
        self.clients = clients

    async def burst(self, count: int) -> None:
        """Events without a pause: a reader falls out of the ring."""
        for number in range(count):
            self.helper.hub.set_stats(Stats(number, self.helper.hub.snapshot().seq))

    async def change(self, change: tuple[Settings, tuple[Profile, ...], Network]) -> None:
        """An event of each kind."""
        settings, profiles, network = change
        self.helper.hub.set_settings(settings)
        self.helper.hub.set_profiles(profiles)
        await asyncio.sleep(0)
        self.helper.hub.set_network(network)

    async def breathe(self, times: int) -> None:
        """Let the others do something, not all that they have to."""
        for _ in range(times):
            await asyncio.sleep(0)

    async def settle(self, _: int) -> None:
        """Nothing happens until every view is the helper's snapshot."""
        await until_async(self._agree, WITHIN, "all views are the helper's snapshot")

    async def sever(self, which: int) -> None:
        """A connection breaks; events go on."""
        conversation = self.clients[which % CLIENTS]._conversation
        if conversation is not None:
            conversation.close()
        await self.burst(2)

    async def restart(self, _: int) -> None:
        """Stopped and started."""
        await self.helper.stop()
        await self.helper.start()

    def _agree(self) -> bool:
        return all(client.feed.view == self.helper.hub.snapshot() for client in self.clients)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Everybody is there and up to date."""
    history: History = {}
    clients = [Shown(str(folder / "helper.sock"), name, history) for name in ("window", "tray", "window")]
    async with asyncio.TaskGroup() as tasks:
        helper = Helper(folder, tasks, history)
        await helper.start()
        async with clients[0], clients[1], clients[2]:
            made = Scene(helper, clients)
            await made.settle(0)
            yield made
            await made.settle(0)
        await helper.stop()
    assert [wrong for client in clients for wrong in client.wrong] == []


def steps() -> st.SearchStrategy[list[tuple[str, Any]]]:
    """Names of a scene's methods, each with its argument."""
    changes = st.tuples(values(Settings), st.lists(values(Profile), max_size=1).map(tuple), values(Network))
    each = [
        st.tuples(st.just("burst"), st.integers(1, 20)),
        st.tuples(st.just("change"), changes),
        st.tuples(st.just("breathe"), st.integers(1, 30)),
        st.tuples(st.just("sever"), st.integers(0, CLIENTS - 1)),
        st.tuples(st.sampled_from(("settle", "restart")), st.just(0)),
    ]
    return st.lists(st.one_of(each), min_size=2, max_size=12)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the helper; front ends keep their keys beside it."""
    for variable in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("SLOPN_KEYRING", "no")
    (tmp_path / "home").mkdir()
    return tmp_path / "run"


# A client that is accepted in the very moment in which the helper stops is left to the garbage collector, with a warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
# A failure may have waited for its deadline: it is not tried again in fifty shorter forms.
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(script=steps())
def test_all_views_are_the_helpers_in_the_end(folder: Path, script: list[tuple[str, Any]]) -> None:
    """Whatever happened on the way; and none shows on the way what never was. The pairing lasts from script to script."""

    async def play() -> None:
        async with asyncio.timeout(4 * WITHIN), scene(folder) as made:
            for name, argument in script:
                await getattr(made, name)(argument)

    asyncio.run(play())
