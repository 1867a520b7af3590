"""A network to watch, and what a monitor says of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

from slopn_helper.host.netmon import NetworkState
from slopn_helper.host.netmon.linux import NetlinkMonitor
from support.netns import Namespace, veth
from support.until import until_async


@contextlib.contextmanager
def two_uplinks() -> Iterator[tuple[Namespace, Namespace]]:
    """A client with two uplinks, eth0 before wlan0, and the router behind both."""
    with Namespace("client") as client, Namespace("router") as router:
        for device in ("eth0", "wlan0"):
            veth(client, device, router, f"r-{device}")
        router.ip("""
            addr add 10.1.0.1/24 dev r-eth0
            addr add fd01::1/64 dev r-eth0 nodad
            addr add 10.2.0.1/24 dev r-wlan0
        """)
        client.ip("""
            addr add 10.1.0.2/24 dev eth0
            addr add fd01::2/64 dev eth0 nodad
            addr add 10.2.0.2/24 dev wlan0
            route add default via 10.1.0.1 metric 100
            route add default via fd01::1 metric 100
            route add default via 10.2.0.1 metric 600
        """)
        yield client, router


class Watcher:
    """Collects what a monitor delivers, in the background."""

    def __init__(self, monitor: NetlinkMonitor) -> None:
        self.monitor = monitor
        self.seen: list[NetworkState] = []

    async def run(self) -> None:
        """Collect until cancelled."""
        async with contextlib.aclosing(self.monitor.changes()) as changes:
            async for state in changes:
                assert state == self.monitor.current()
                assert not self.seen or state != self.seen[-1]
                self.seen.append(state)

    async def until(self, predicate: Callable[[NetworkState], bool], what: str) -> NetworkState:
        """Wait until the newest state satisfies the predicate."""
        await until_async(lambda: bool(self.seen) and predicate(self.seen[-1]), 10.0, f"{what}; seen: {self.seen}")
        return self.seen[-1]


@contextlib.asynccontextmanager
async def watching(monitor: NetlinkMonitor) -> AsyncIterator[Watcher]:
    """With a watcher that has seen the first state."""
    watcher = Watcher(monitor)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watcher.run())
        await until_async(lambda: bool(watcher.seen), 10.0, "the first state")
        yield watcher
        task.cancel()


async def do(namespace: Namespace, batch: str) -> None:
    """Run ip(8) without holding up the monitor."""
    await asyncio.to_thread(namespace.ip, batch)


def run(client: Namespace, scenario: Callable[[Watcher], object]) -> None:
    """Run the scenario with a monitor inside the client."""

    async def main() -> None:
        async with watching(NetlinkMonitor("slopn0")) as watcher:
            await scenario(watcher)  # type: ignore[misc]

    with client.entered():
        asyncio.run(main())
