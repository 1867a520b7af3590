"""Which gateway has the traffic, by the engine's events and counters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from slopn_helper import dataplane as module
from slopn_helper.dataplane import Dataplane
from slopn_helper.engine import (
    Counters,
    EngineConfig,
    EngineDown,
    EngineError,
    HandshakeDone,
    HandshakeStale,
    PeerConfig,
    PeerCounters,
)
from slopn_helper.peers import named
from slopn_helper.tunnel import inputs
from slopn_helper.tunnel.driver import ProfileError
from slopn_wire.events import Live
from slopn_wire.profile import Endpoint, EnrolledGateway, Enrolment, PostQuantum
from support.aio import in_loop
from support.fakes import PROFILE, FakeEngine
from support.until import until_async

A, B = (PeerConfig(bytes([n]) * 32, PROFILE.peers[0].allowed_ips, (f"192.0.2.{n}", 51820)) for n in (1, 2))
CONFIG = EngineConfig("slopn0", bytes(32), (A, B))
GATEWAYS = tuple(
    EnrolledGateway(Endpoint(f"gw{n}.example.org", 51820), named(peer.public_key), "", Endpoint("api", 443))
    for n, peer in enumerate((A, B))
)
ENROLLED = replace(PROFILE, enrolment=Enrolment("d", GATEWAYS, (ip_address("10.9.0.1"),), 0.0))


class Bench:
    """A data plane on a fake engine, with what it told."""

    def __init__(self) -> None:
        self.engine = FakeEngine([])
        self.plane = Dataplane(self.engine, lambda: self.now)
        self.now = 100.0
        self.posted: list[inputs.Input] = []
        self.used: list[bytes] = []
        self.looks = 0
        self.plane.connect_to(self)

    def post(self, inp: inputs.Input) -> None:
        """As the daemon."""
        self.posted.append(inp)

    async def protection_changed(self) -> bool:
        """As the daemon."""
        return True

    def in_use(self, gateway: bytes) -> None:
        """As the daemon."""
        self.used.append(gateway)

    def news(self) -> None:
        """Once after each look and each event."""
        self.looks += 1

    @property
    def keys(self) -> list[bytes]:
        """Whom the engine talks to."""
        return [] if self.engine.config is None else [peer.public_key for peer in self.engine.config.peers]

    async def look(self, seconds: float = 0.5) -> None:
        """Time passes, and one look at least is taken after that."""
        self.now += seconds
        before = self.looks
        await until_async(lambda: self.looks > before + 1, 10, "a look")

    async def event(self, event: HandshakeDone | HandshakeStale | EngineDown) -> None:
        """The engine tells it, and it is handled."""
        before = self.looks
        self.engine.queue.put_nowait(event)
        await until_async(lambda: self.engine.queue.empty() and self.looks > before, 10, "handled")
        await asyncio.sleep(0)


@asynccontextmanager
async def running() -> AsyncIterator[Bench]:
    """At work; looks are taken as fast as can be, and time is the test's."""
    bench = Bench()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EVERY", 0.001)
        with suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as tasks:
                loops = [
                    tasks.create_task(loop()) for loop in (bench.plane.follow, bench.plane.watch, bench.plane.protect)
                ]
                yield bench
                for loop in loops:
                    loop.cancel()


def counted(bench: Bench, received: int, sent: int, key: bytes = A.public_key) -> None:
    """Of the gateway in use."""
    bench.engine.counted = Counters(peers=(PeerCounters(key, ("192.0.2.9", 9), None, received, sent),))


async def falls_silent(bench: Bench) -> None:
    """A is in use and no longer answers, however much is said; everybody is asked."""
    await bench.plane.start(ENROLLED, CONFIG, patient=False)
    await bench.event(HandshakeDone(A.public_key, 0.01))
    assert bench.keys == [A.public_key]
    for sent in range(100, 1100, 100):
        counted(bench, 50, sent)
        await bench.look()
    assert bench.keys == [A.public_key, B.public_key]


@in_loop
async def test_the_first_that_answers_has_the_traffic() -> None:
    """The other's answer comes too late, and is none of the tunnel's business."""
    async with running() as bench:
        await bench.plane.start(ENROLLED, CONFIG, patient=False)
        assert bench.keys == [A.public_key, B.public_key]
        await bench.event(HandshakeDone(B.public_key, 0.02))
        await bench.event(HandshakeDone(A.public_key, 0.01))
        assert bench.keys == [B.public_key]
        assert (bench.used, bench.posted) == ([B.public_key], [inputs.HandshakeDone()])
        assert bench.plane.latency == 0.02
        live = bench.plane.live(Live("slopn0"))
        assert (live.gateway, live.post_quantum) == (Endpoint("gw1.example.org", 51820), None)
        assert bench.plane.live(Live()) == Live()


@in_loop
async def test_the_others_are_asked_when_the_first_is_slow() -> None:
    """After its head start."""
    async with running() as bench:
        await bench.plane.start(ENROLLED, CONFIG, patient=True)
        await bench.look(0.1)
        assert bench.keys == [A.public_key]
        await bench.look(0.5)
        assert bench.keys == [A.public_key, B.public_key]


@in_loop
async def test_another_takes_the_place_of_a_silent_one() -> None:
    """Once it has answered: the tunnel stays as it is, and hears of a handshake alone."""
    async with running() as bench:
        await falls_silent(bench)
        await bench.event(HandshakeDone(B.public_key, 0.03))
        await until_async(lambda: bench.keys == [B.public_key], 10, "moved")
        assert inputs.HandshakeStale() not in bench.posted


@in_loop
async def test_a_silent_one_that_answers_after_all_stays() -> None:
    """And the others are let go."""
    async with running() as bench:
        await falls_silent(bench)
        counted(bench, 60, 2000)
        await bench.look()
        assert bench.keys == [A.public_key]
        await bench.event(HandshakeDone(B.public_key, 0.03))
        assert bench.keys == [A.public_key]


@in_loop
async def test_a_dead_network_is_nobodys_death() -> None:
    """Nobody answers: the tunnel is told when the one in use is given up by the engine, whatever the others do."""
    async with running() as bench:
        await falls_silent(bench)
        await bench.event(HandshakeStale(B.public_key))
        assert inputs.HandshakeStale() not in bench.posted
        await bench.event(HandshakeStale(A.public_key))
        assert bench.posted[-1] == inputs.HandshakeStale()


@in_loop
async def test_before_one_is_chosen_all_must_be_silent() -> None:
    """Then the attempt has failed."""
    async with running() as bench:
        await bench.plane.start(ENROLLED, CONFIG, patient=False)
        await bench.event(HandshakeStale(A.public_key))
        assert bench.posted == []
        await bench.event(HandshakeStale(B.public_key))
        assert bench.posted == [inputs.HandshakeStale()]


@in_loop
async def test_the_engines_end_is_told_unless_it_was_asked_for() -> None:
    """An engine that refuses doesn't end the helper."""
    async with running() as bench:
        await bench.plane.start(ENROLLED, CONFIG, patient=False)
        bench.engine.refuse["engine.apply"] = EngineError("busy")
        await bench.event(HandshakeDone(A.public_key))
        await bench.event(EngineDown(None))
        await bench.event(EngineDown("gone"))
        assert bench.posted[-1] == inputs.EngineDown("gone")
        assert bench.posted.count(inputs.EngineDown("gone")) == 1


def test_a_key_that_can_not_be_agreed_is_the_profiles_fault() -> None:
    """Demanded, and no address in the tunnel of the gateway's family."""
    six = replace(ENROLLED.enrolment, inside=(ip_address("fd09::1"),)) if ENROLLED.enrolment else None
    profile = replace(ENROLLED, enrolment=six, post_quantum=PostQuantum.DEMAND)
    with pytest.raises(ProfileError, match="no address"):
        asyncio.run(Bench().plane.start(profile, CONFIG, patient=True))
