"""The whole client role on fakes, over a store that survives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from slopn_helper.addresses import LastGood
from slopn_helper.control import Control
from slopn_helper.daemon import Daemon
from slopn_helper.dataplane import Dataplane
from slopn_helper.engine import HandshakeDone
from slopn_helper.gateways import Gateways
from slopn_helper.host.netmon import NetworkState
from slopn_helper.host.portal import Verdict
from slopn_helper.hub import Hub
from slopn_helper.principal import ALL_RIGHTS, Principal
from slopn_helper.runner import FWMARK, HostRunner
from slopn_helper.store import Store
from slopn_wire.commands import Command, Connect
from slopn_wire.diagnosis import Diagnosis, Replayed
from slopn_wire.events import Done
from slopn_wire.settings import Settings
from slopn_wire.state import Connected, Connecting, Step
from support.fakes import (
    HOME,
    PROFILE,
    SECRETS,
    FakeDns,
    FakeEngine,
    FakeFirewall,
    FakeMonitor,
    FakeResolve,
    FakeRouter,
)
from support.until import until_async

ROOT = Principal(uid=0, gid=0, pid=1, exe=None, rights=ALL_RIGHTS)
CAFE = NetworkState("wlan0", ip_address("10.2.0.1"), addresses=(ip_address("10.2.0.2"),))


class Helper:
    """A daemon on fakes, over a store in `directory` that survives it."""

    def __init__(self, directory: Path) -> None:
        store = Store(directory)
        store.lock()
        self.store = store
        if not store.load().profiles:
            store.save_profile(PROFILE, SECRETS)
        self.calls: list[str] = []
        self.noted: list[tuple[Any, ...]] = []
        self.followed: list[Settings] = []
        self.hub = Hub()
        self.control = Control(self.hub, store, store.load())
        self.engine, self.monitor, self.dns = FakeEngine(self.calls), FakeMonitor(), FakeDns(self.calls)
        self.firewall, self.router = FakeFirewall(self.calls), FakeRouter(self.calls)
        self.resolve = FakeResolve("192.0.2.1")
        self.dataplane = Dataplane(self.engine)
        self.runner = HostRunner(
            self.control,
            firewall=self.firewall,
            router=self.router,
            dns=self.dns,
            dataplane=self.dataplane,
            restore=self._restore,
            gateways=Gateways(self.resolve, LastGood(directory / "addresses.json"), FWMARK),
        )
        self.stop = asyncio.Event()
        self.daemon = Daemon(
            control=self.control,
            hub=self.hub,
            runner=self.runner,
            engine=self.engine,
            dataplane=self.dataplane,
            monitor=self.monitor,
            dns=self.dns,
            portal=self._portal,
            rules=self.firewall,
            changes=(self.firewall.changes, self.dns.changes, self.router.changes),
            serve=self._serve,
            diagnose=self._diagnose,
            replay=lambda _: Replayed((), ""),
            note=lambda *step: self.noted.append(step),
            follow_settings=self.followed.append,
        )
        self.served = asyncio.Event()
        self.verdict: Verdict | None = None
        """What a look for a captive portal finds."""

    async def _restore(self) -> list[str]:
        return []

    async def _portal(self) -> Verdict | None:
        return self.verdict

    async def _diagnose(self) -> Diagnosis:
        return Diagnosis((), {})

    async def _serve(self) -> None:
        self.served.set()
        await asyncio.Event().wait()

    async def ask(self, command: Command) -> None:
        """Carried out."""
        assert await self.control.submit(ROOT, command) == Done()

    async def reaches(self, holds: Callable[[Any], bool], what: str) -> None:
        """Wait for a state."""
        await until_async(lambda: holds(self.hub.snapshot().state), 10, f"{what}: {self.hub.snapshot().state}")

    async def at(self, step: Step) -> None:
        """Connecting, and how far."""
        await self.reaches(lambda s: isinstance(s, Connecting) and s.step is step, step)

    async def connect(self) -> None:
        """All the way up."""
        await self.ask(Connect("lab"))
        await self.at(Step.HANDSHAKE)
        self.engine.queue.put_nowait(HandshakeDone(self.peer))
        await self.reaches(lambda s: isinstance(s, Connected), "connected")

    @property
    def peer(self) -> bytes:
        """The gateway's key."""
        (key,) = self.dataplane.uplink.gateways()
        return key


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Helper]:
    """At home, up and serving; ended in order."""
    helper = Helper(directory)
    helper.monitor.queue.put_nowait(HOME)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(helper.daemon.run(helper.stop, lambda: None))
        await helper.served.wait()
        await until_async(lambda: helper.firewall.policy is not None, 10, "the first policy")
        yield helper
        helper.stop.set()
    helper.store.unlock()
