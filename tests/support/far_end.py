"""A gateway's data plane as a process: the engine with one peer, and the post-quantum protocol's end beside it.

`python -m support.far_end` in a namespace, with a `Spec` as JSON in the first argument; says `ready` once it is up.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from base64 import b64decode
from ipaddress import ip_network

import msgspec

from slopn_helper.engine import EngineConfig, PeerConfig
from slopn_helper.engine.rust import RustEngine
from slopn_helper.psk import PORT
from slopn_helper.psk.channel import Channel
from slopn_helper.psk.ends import End
from slopn_helper.psk.gateway import Gateway
from slopn_helper.psk.schedule import Pair
from slopn_helper.psk.sockets import open_socket

INTERFACE = "wg0"
TUNNEL4, TUNNEL6 = "10.9.0.1", "fd09::1"
CLIENT4, CLIENT6 = "10.9.0.2", "fd09::2"


class Spec(msgspec.Struct, frozen=True):
    """What it is told. Keys are base64."""

    private_key: str
    client: str
    port: int
    post_quantum: bool


async def _open(_: bool) -> None:
    """The far end demands nothing."""


def _configure() -> None:
    batch = (
        f"addr add {TUNNEL4}/24 dev {INTERFACE}\naddr add {TUNNEL6}/64 dev {INTERFACE} nodad\nlink set {INTERFACE} up\n"
    )
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)


async def _serve(spec: Spec) -> None:
    engine, private, client = RustEngine(uapi=False), b64decode(spec.private_key), b64decode(spec.client)
    allowed = (ip_network(f"{CLIENT4}/32"), ip_network(f"{CLIENT6}/128"))
    peers = (PeerConfig(client, allowed),)
    await engine.apply(EngineConfig(INTERFACE, private, peers, listen_port=spec.port))
    await asyncio.to_thread(_configure)
    channel = Channel(lambda host, port: end if (host, port) == (CLIENT4, PORT) else None)
    side = Gateway(Pair(private, client, client=False), None, os.urandom)
    end = End(side, engine, client, lambda data: channel.send(data, (CLIENT4, PORT)), _open)
    if spec.post_quantum:
        await channel.open(open_socket(INTERFACE, TUNNEL4))
    sys.stdout.write("ready\n")
    sys.stdout.flush()

    async def follow() -> None:
        async for event in engine.events():
            await end.event(event)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(follow())
        tasks.create_task(channel.run())


if __name__ == "__main__":
    asyncio.run(_serve(msgspec.json.decode(sys.argv[1], type=Spec)))
