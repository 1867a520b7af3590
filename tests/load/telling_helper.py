"""A helper of real hub, server and gatekeeper, without a tunnel, that tells events at a given rate: a process of its own.

Arguments: folder, events a second, seconds. Its socket is `helper.sock` in the folder. It begins to tell once a line comes
on stdin, and then prints one JSON document: how many it told, and the last one's number. It ends with stdin.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from slopn_helper.hub import Hub
from slopn_helper.ipc.devices import DeviceBook
from slopn_helper.ipc.endpoints.unix import UnixEndpoint
from slopn_helper.ipc.gatekeeper import Gatekeeper
from slopn_helper.ipc.pki import Authority
from slopn_helper.ipc.server import Server
from slopn_helper.logs import LogStore
from slopn_helper.principal import Principal
from slopn_wire.commands import Command, GetSnapshot
from slopn_wire.devices import UserBasis
from slopn_wire.events import Done, Result, Stats
from support.fake_hub import FakeUsers


class TalkingHub(Hub):
    """The real one, with a word for commands."""

    async def submit(self, who: Principal, command: Command) -> Result:
        """Tells the state; agrees with everything else."""
        del who
        return self.snapshot() if isinstance(command, GetSnapshot) else Done()


async def main(folder: Path, rate: int, seconds: float) -> None:
    """Serve, and tell when asked to."""
    hub = TalkingHub()
    state = folder / "state"
    state.mkdir(mode=0o700)
    users = FakeUsers(root=(os.geteuid(), UserBasis.ROOT))
    authority = Authority.open(state, time.time(), os.geteuid())
    book = DeviceBook.open(state, authority.fingerprint, os.geteuid())
    gatekeeper = Gatekeeper(authority, book, users, hub, show=lambda _: None, prefix=None)
    server = Server(UnixEndpoint(folder, None), authority, gatekeeper, hub, LogStore(), user=users.name)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(server.run()), tasks.create_task(gatekeeper.run())]
        if await asyncio.to_thread(sys.stdin.readline):
            told = await tell(hub, rate, seconds)
            sys.stdout.write(json.dumps({"told": told, "seq": hub.snapshot().seq}) + "\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.readline)
        for task in running:
            task.cancel()


async def tell(hub: Hub, rate: int, seconds: float) -> int:
    """`rate` events a second, made up for whenever the loop was late. Each says when it was told (monotonic, ns)."""
    start, told = time.monotonic(), 0
    while told < seconds * rate:
        while told < min(time.monotonic() - start, seconds) * rate:
            told += 1
            hub.set_stats(Stats(rx_bytes=time.monotonic_ns(), tx_bytes=told, last_handshake=1.0))
        await asyncio.sleep(0.005)
    return told


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
