"""Each link is told of at once, for the firewall to guard."""

from __future__ import annotations

import asyncio
import contextlib

from slopn_helper.host.netmon.linux import NetlinkMonitor
from support.netmon_world import do, two_uplinks


def test_every_link_is_told_at_once() -> None:
    """A device that comes, changes or goes is an item each time, ours too, without waiting for quiet."""
    batches = (
        "tuntap add dev hot0 mode tun",
        "link set hot0 up",
        "link set hot0 name hot1",
        "link del hot1",
        "tuntap add dev slopn0 mode tun",
    )

    async def main() -> None:
        heard: asyncio.Queue[None] = asyncio.Queue()

        async def listen() -> None:
            async with contextlib.aclosing(NetlinkMonitor("slopn0").links()) as links:
                async for item in links:
                    heard.put_nowait(item)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(listen())
            async with asyncio.timeout(10.0):
                await heard.get()
            for batch in batches:
                while not heard.empty():
                    heard.get_nowait()
                await do(client, batch)
                async with asyncio.timeout(10.0):
                    await heard.get()
            task.cancel()

    with two_uplinks() as (client, _), client.entered():
        asyncio.run(main())
