from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from ipaddress import ip_address

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from slopn_helper.engine import EngineDown, HandshakeDone
from slopn_helper.gateway.agreement import Agreement
from slopn_helper.gateway.peers import Roster
from slopn_helper.gateway.types import Device, DeviceKind, Enrolled, Lease
from slopn_helper.psk.channel import Channel
from slopn_helper.psk.client import Client
from slopn_helper.psk.ends import End
from slopn_helper.psk.schedule import Pair
from support.until import until_async

WITHIN = 30.0
GATEWAY = X25519PrivateKey.generate()


def udp(address: str, port: int = 0) -> socket.socket:
    """A socket on loopback, which stands for the tunnel."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind((address, port))
    return made


class Engine:
    """Stands for both ends' engines: which keys each peer has now."""

    def __init__(self) -> None:
        self.keys: dict[bytes, Sequence[tuple[int, bytes | None]]] = {}

    async def set_preshared_keys(
        self, public_key: bytes, keys: Sequence[tuple[int, bytes | None]], *, initiate: bool = False
    ) -> None:
        """Note them."""
        del initiate
        self.keys[public_key] = keys


class Peer:
    """A device's own end, at an address of loopback."""

    def __init__(self, address: str, port: int, kind: DeviceKind = DeviceKind.SLOPN) -> None:
        self.private = X25519PrivateKey.generate()
        self.public = self.private.public_key().public_bytes_raw()
        device = Device(address, "x", self.public, kind, 0.0)
        self.enrolled = Enrolled(device, (Lease(address, "v4", ip_address(address)),))
        self.engine = Engine()
        self.far = GATEWAY.public_key().public_bytes_raw()
        self.channel = Channel(lambda _host, _port: self.end)
        pair = Pair(self.private.private_bytes_raw(), self.far, client=True)
        self.end = End(
            Client(pair, None, os.urandom),
            self.engine,
            self.far,
            lambda data: self.channel.send(data, ("127.0.0.1", port)),
            self._gate,
        )
        self._socket = udp(address, port)

    async def _gate(self, is_open: bool) -> None:
        del is_open

    async def begin(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """With a session under the configured key."""
        await self.channel.open(self._socket)
        await self.end.event(HandshakeDone(self.far, 0.01, 0))
        return [tasks.create_task(self.channel.run()), tasks.create_task(self.end.run())]


class World:
    """An agreement at work, on a port that is free."""

    def __init__(self) -> None:
        self.socket = udp("127.0.0.1")
        self.port = self.socket.getsockname()[1]
        self.roster = Roster()
        self.engine = Engine()
        self.made = Agreement(self.roster, self.engine, GATEWAY.private_bytes_raw(), os.urandom, port=self.port)


def test_each_device_agrees_its_own_key() -> None:
    """Told apart by their addresses inside; one that was replaced in the registry, or another's engine, begins anew."""

    async def run() -> None:
        world = World()
        one, other = Peer("127.0.0.2", world.port), Peer("127.0.0.3", world.port)
        world.roster.replace([one.enrolled, other.enrolled])
        async with asyncio.TaskGroup() as tasks:
            await world.made.open([world.socket], tasks)
            loops = [*await one.begin(tasks), *await other.begin(tasks)]
            keys = world.engine.keys
            await until_async(lambda: {one.public, other.public} <= set(keys), WITHIN, "both keys")
            label, secret = keys[one.public][0]
            assert secret is not None
            assert secret != keys[other.public][0][1]
            await until_async(
                lambda: secret in dict(one.engine.keys[one.far]).values(), WITHIN, "the device has it, too"
            )
            assert not world.made.protected(one.public)
            await world.made.event(HandshakeDone(one.public, None, label))
            assert world.made.protected(one.public)
            assert not world.made.protected(other.public)
            world.roster.forget([other.enrolled.device.id])
            world.made.prune()
            assert len(world.made) == 1
            await world.made.event(EngineDown("gone"))
            assert not world.made.protected(one.public)
            for loop in loops:
                loop.cancel()
            await world.made.close()
            one.channel.close()
            other.channel.close()

    asyncio.run(run())


def test_nobody_else_costs_anything() -> None:
    """Strangers, plain WireGuard devices, and programs on another port of a device: no end, no answer."""

    async def run() -> None:
        world = World()
        plain = Peer("127.0.0.4", world.port, DeviceKind.WIREGUARD)
        stranger = Peer("127.0.0.5", world.port)
        good = Peer("127.0.0.2", world.port)
        world.roster.replace([plain.enrolled, good.enrolled])
        async with asyncio.TaskGroup() as tasks:
            await world.made.open([world.socket], tasks)
            with udp("127.0.0.2") as program:
                program.sendto(b"x", ("127.0.0.1", world.port))
            loops = [task for peer in (plain, stranger, good) for task in await peer.begin(tasks)]
            await until_async(lambda: good.public in world.engine.keys, WITHIN, "the device's key")
            assert len(world.made) == 1
            assert set(world.engine.keys) == {good.public}
            for loop in loops:
                loop.cancel()
            await world.made.close()
            for peer in (plain, stranger, good):
                peer.channel.close()

    asyncio.run(run())
