"""Metered by the real NetworkManager, and wake-ups as logind tells them, on a private system bus."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from dbus_fast import Message
from dbus_fast.aio import MessageBus

from slopn_helper.host.netmon import NetworkState
from slopn_helper.host.netmon.linux import NetlinkMonitor
from support.dns_world import DnsWorld, NetworkManager, dns_world
from support.until import until_async

LOGIND = "org.freedesktop.login1"
_KEYFILE = "/etc/NetworkManager/system-connections/uplink.nmconnection"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DnsWorld]:
    """A host with a system bus, which this process takes for its own."""
    with dns_world(tmp_path) as made:
        made.start_bus()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={made.client.root()}/run/dbus/system_bus_socket")
        yield made


class Watched:
    """What a monitor in the host has said last."""

    def __init__(self) -> None:
        self.seen: list[NetworkState] = []

    async def until(self, predicate: Callable[[NetworkState], bool], what: str) -> NetworkState:
        """Wait for a state."""
        await until_async(lambda: bool(self.seen) and predicate(self.seen[-1]), 20.0, what)
        return self.seen[-1]


@contextlib.asynccontextmanager
async def watching() -> AsyncIterator[Watched]:
    """With a monitor that has looked once."""
    watched = Watched()

    async def collect() -> None:
        async with contextlib.aclosing(NetlinkMonitor("slopn0").changes()) as changes:
            async for state in changes:
                watched.seen.append(state)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(collect())
        await watched.until(lambda _: True, "the first state")
        yield watched
        task.cancel()


def test_metered_is_what_network_manager_says(world: DnsWorld) -> None:
    """Unknown is no; a connection that the user calls metered is; without NetworkManager nobody says so any more."""

    async def scenario() -> None:
        async with watching() as watched:
            assert not watched.seen[-1].metered
            manager = await asyncio.to_thread(NetworkManager, world)
            await watched.until(lambda s: s.interface == "eth0", "the uplink")
            await asyncio.to_thread(manager.kill)
            await asyncio.to_thread(world.client.run, f"sed -i '/^type=/a metered=1' {_KEYFILE}")
            await asyncio.to_thread(world.client.ip, "addr flush dev eth0")
            await asyncio.to_thread(manager.start)
            await watched.until(lambda s: s.metered and s.interface == "eth0", "metered")
            await asyncio.to_thread(manager.kill)
            await watched.until(lambda s: not s.metered, "nobody says that it is")

    with world.client.entered():
        asyncio.run(scenario())


async def sleep_signal(bus: MessageBus, *, begins: bool) -> None:
    """The signal that logind sends before and after sleep."""
    await bus.send(Message.new_signal("/org/freedesktop/login1", f"{LOGIND}.Manager", "PrepareForSleep", "b", [begins]))


def test_a_wake_up_is_told_by_logind(world: DnsWorld) -> None:
    """The signal after sleep is a change at once; the one before it is none, nor is one of a program without the name."""

    async def scenario() -> None:
        stranger = await MessageBus(bus_address=_bus(world)).connect()
        logind = await MessageBus(bus_address=_bus(world)).connect()
        await logind.request_name(LOGIND)
        async with watching() as watched:
            before = len(watched.seen)
            while watched.seen[-1].resumed_at is None:
                # Until the monitor's own connection listens nobody hears them; feigned and early ones must not be heard.
                await sleep_signal(stranger, begins=False)
                await sleep_signal(logind, begins=True)
                assert len(watched.seen) == before
                await sleep_signal(logind, begins=False)
                await asyncio.sleep(0.05)
            assert len(watched.seen) == before + 1
        for bus in (stranger, logind):
            bus.disconnect()

    async def feigned() -> None:
        stranger = await MessageBus(bus_address=_bus(world)).connect()
        async with watching() as watched:
            for _ in range(20):
                await sleep_signal(stranger, begins=False)
                await asyncio.sleep(0.02)
            assert watched.seen[-1].resumed_at is None
        stranger.disconnect()

    with world.client.entered():
        asyncio.run(feigned())
        asyncio.run(scenario())


def _bus(world: DnsWorld) -> str:
    return f"unix:path={world.client.root()}/run/dbus/system_bus_socket"
