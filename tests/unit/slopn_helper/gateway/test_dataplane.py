from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address

from slopn_helper.engine import (
    Counters,
    EngineConfig,
    EngineDown,
    EngineError,
    EngineEvent,
    HandshakeDone,
    PeerConfig,
    PeerCounters,
)
from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.dataplane import Dataplane
from slopn_helper.gateway.registry.errors import Unavailable
from slopn_helper.gateway.registry.feed import Update
from slopn_helper.gateway.types import Device, DeviceKind, Enrolled, Lease
from support.until import until_async

WITHIN = 30.0


class FakeEngine:
    """Notes what it has; refuses the keys of `bad`, or everything."""

    def __init__(self) -> None:
        self.peers: dict[bytes, PeerConfig] = {}
        self.starts = 0
        self.bad: set[bytes] = set()
        self.broken = False
        self.told: asyncio.Queue[EngineEvent] = asyncio.Queue()

    async def apply(self, config: EngineConfig | None) -> None:
        """Start without peers."""
        if self.broken:
            raise EngineError("no /dev/net/tun")
        self.starts += config is not None
        self.peers = {}

    async def change_peers(self, *, remove: Sequence[bytes] = (), put: Sequence[PeerConfig] = ()) -> None:
        """All or nothing."""
        if self.broken or self.bad & {peer.public_key for peer in put}:
            raise EngineError("refused")
        for key in remove:
            del self.peers[key]
        self.peers |= {peer.public_key: peer for peer in put}

    async def set_preshared_keys(
        self, public_key: bytes, keys: Sequence[tuple[int, bytes | None]], *, initiate: bool = False
    ) -> None:
        """Nothing here."""

    async def rebind(self) -> None:
        """Nothing here."""

    def counters(self) -> Counters:
        """Of each peer."""
        return Counters(peers=tuple(PeerCounters(key, None, None, 0, 0) for key in self.peers))

    async def events(self) -> AsyncIterator[EngineEvent]:
        """What was told."""
        while True:
            yield await self.told.get()


class FakeMeter:
    """Counts handshakes."""

    def __init__(self) -> None:
        self.handshakes = 0

    def request(self, path: str, status: int, seconds: float) -> None:
        """Not here."""

    def enrolled(self) -> None:
        """Not here."""

    def refused(self, why: Why) -> None:
        """Not here."""

    def handshake(self, seconds: float | None) -> None:
        """One more."""
        del seconds
        self.handshakes += 1

    def put_in_force(self, seconds: float) -> None:
        """Whatever it took."""


class World:
    """A data plane at work."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.engine = FakeEngine()
        self.meter = FakeMeter()
        self.updates: asyncio.Queue[Update] = asyncio.Queue()
        self.settled: list[tuple[str, bytes]] = []
        self.database = True
        self.made = 0
        self.plane = Dataplane(
            self.engine,
            EngineConfig("wg", bytes(32), ()),
            self._settle,
            meter=self.meter,
            clock=lambda: self.now,
            made=self._made,
            tell=self._tell,
            changed=lambda: None,
        )

    async def _settle(self, device: str, key: bytes) -> object:
        if not self.database:
            raise Unavailable("gone")
        self.settled.append((device, key))
        return None

    async def _made(self) -> None:
        self.made += 1

    async def _tell(self, event: EngineEvent) -> None:
        del event

    async def _told(self) -> AsyncIterator[Update]:
        while True:
            yield await self.updates.get()

    def tell(self, *devices: Enrolled, whole: bool = False, gone: tuple[str, ...] = ()) -> None:
        """As the registry."""
        self.updates.put_nowait(Update(whole, devices, gone))

    async def has(self, *keys: bytes) -> None:
        """Wait until these are the engine's peers."""
        await until_async(lambda: set(self.engine.peers) == set(keys), WITHIN, f"the engine has {keys}")

    async def run(self, body: Awaitable[None]) -> None:
        """Do `body` beside all its loops."""
        with suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as tasks:
                await self.plane.start()
                plane = self.plane
                work = (plane.run(), plane.listen(), plane.settle(), plane.follow(self._told()))
                loops = [tasks.create_task(each) for each in work]
                await body
                for loop in loops:
                    loop.cancel()


def device(number: int, *, next_key: bytes | None = None, expires: float | None = None) -> Enrolled:
    """With one address."""
    made = Device(f"d{number}", "x", bytes([number]) * 32, DeviceKind.SLOPN, 0.0, expires=expires, next_key=next_key)
    return Enrolled(made, (Lease(made.id, "v4", IPv4Address(f"100.80.0.{number}")),))


KEYS = [bytes([number]) * 32 for number in range(10)]


def go(body: Callable[[World], Awaitable[None]]) -> World:
    """Run a story."""

    async def run() -> World:
        world = World()
        await world.run(body(world))
        return world

    return asyncio.run(run())


def test_what_the_registry_tells_is_in_force() -> None:
    """All, then some, then all again: who isn't named there is out."""

    async def story(world: World) -> None:
        world.tell(device(1), device(2), whole=True)
        await world.plane.filled()
        assert set(world.engine.peers) == {KEYS[1], KEYS[2]}
        world.tell(device(3), gone=("d1",))
        await world.has(KEYS[2], KEYS[3])
        world.tell(device(1), whole=True)
        await world.has(KEYS[1])

    assert go(story).made == 1


def test_peers_that_others_add_or_remove_are_put_right() -> None:
    """With the next whole reading: root may have used `wg`."""

    async def story(world: World) -> None:
        world.tell(device(1), whole=True)
        await world.plane.filled()
        world.engine.peers = {KEYS[5]: PeerConfig(KEYS[5], ())}
        world.tell(device(1), whole=True)
        await world.has(KEYS[1])

    go(story)


def test_the_clock_alone_ends_an_enrolment() -> None:
    """Without a word from the registry, and without another device's being touched."""

    async def story(world: World) -> None:
        world.tell(device(1, expires=world.now + 0.2), device(2), whole=True)
        await world.plane.filled()
        world.now += 0.3
        await world.has(KEYS[2])

    go(story)


def test_a_next_key_is_settled_once_the_database_answers() -> None:
    """The addresses move at once; the registry hears of it when it can."""

    async def story(world: World) -> None:
        world.database = False
        world.tell(device(1, next_key=KEYS[9]), whole=True)
        await world.has(KEYS[1], KEYS[9])
        world.engine.told.put_nowait(HandshakeDone(KEYS[9]))
        await until_async(lambda: bool(world.engine.peers[KEYS[9]].allowed_ips), WITHIN, "the next key has the address")
        assert world.engine.peers[KEYS[1]].allowed_ips == ()
        assert world.settled == []
        world.database = True
        await until_async(lambda: world.settled == [("d1", KEYS[9])], WITHIN, "the registry was told")

    assert go(story).meter.handshakes == 1


def test_an_engine_that_dies_is_started_anew_with_everybody() -> None:
    """As soon as it can be; meanwhile it says why not."""

    async def story(world: World) -> None:
        world.tell(device(1), whole=True)
        await world.plane.filled()
        world.engine.broken = True
        world.engine.told.put_nowait(EngineDown("the device is gone"))
        await until_async(lambda: world.plane.trouble == "no /dev/net/tun", WITHIN, "it says why")
        world.engine.broken = False
        await until_async(lambda: world.engine.starts == 2, WITHIN, "it is started again")
        await world.has(KEYS[1])
        assert world.plane.trouble is None
        assert world.made == 2

    go(story)


def test_one_device_that_the_engine_refuses_keeps_nobody_in_or_out() -> None:
    """The others come, and who is to go goes."""

    async def story(world: World) -> None:
        world.tell(device(1), whole=True)
        await world.plane.filled()
        world.engine.bad = {KEYS[2]}
        world.tell(device(2), device(3), gone=("d1",))
        await world.has(KEYS[3])

    go(story)
