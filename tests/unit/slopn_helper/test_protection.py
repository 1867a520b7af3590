"""The client's end of the post-quantum key, with a gateway's end at the other side of a socket pair."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from random import randrange

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec.structs import replace

from slopn_helper.engine import EngineDown, HandshakeDone, HandshakeStale
from slopn_helper.protection import Plan, Protection, way
from slopn_helper.psk import PORT
from slopn_helper.psk.gateway import Gateway
from slopn_helper.psk.messages import LARGEST
from slopn_helper.psk.outputs import Output, Send
from slopn_helper.psk.schedule import Pair
from slopn_wire.profile import Endpoint, EnrolledGateway, Enrolment, PostQuantum
from support.aio import in_loop
from support.fakes import PROFILE, FakeEngine
from support.until import until_async

CLIENT, SERVER = (bytes([n]) * 32 for n in (1, 2))
GATEWAY = EnrolledGateway(Endpoint("vpn.example.org", 51820), "key", "", Endpoint("vpn.example.org", 443))
ENROLMENT = Enrolment("d", (GATEWAY,), (ip_address("fd09::1"), ip_address("10.9.0.1")), 0.0)
ENROLLED = replace(PROFILE, enrolment=ENROLMENT, post_quantum=PostQuantum.ON)


def public(private: bytes) -> bytes:
    """WireGuard's."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


class Bench:
    """A protection on loopback, whose datagrams a gateway's machine answers; what the tunnel was told is in `told`."""

    def __init__(self) -> None:
        self.engine = FakeEngine([])
        self.closes = True
        self.told: list[bool] = []
        self.far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # The port is the protocol's; an address of its own keeps each test apart from others on this machine.
        net = f"127.{randrange(1, 255)}.{randrange(256)}."
        self.own, self.other = ip_address(f"{net}1"), ip_address(f"{net}2")
        self.far.bind((str(self.other), PORT))
        self.far.setblocking(False)
        self.machine = Gateway(Pair(SERVER, public(CLIENT), client=False), None, os.urandom)
        self.protection = Protection(self.engine, self._changed, wall=lambda: 5000.0, opened=self._opened)

    async def _changed(self) -> bool:
        self.told.append(self.protection.protected)
        return self.closes

    def _opened(self, interface: str, address: str) -> socket.socket:
        assert interface == "slopn0"
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.bind((address, PORT))
        return made

    async def serve(self) -> None:
        """The gateway answers, and a handshake follows each key, as the engine makes it."""
        loop = asyncio.get_running_loop()
        while True:
            data, at = await loop.sock_recvfrom(self.far, LARGEST)
            outputs: list[Output] = self.machine.received(data, loop.time())
            for output in outputs:
                if isinstance(output, Send):
                    await loop.sock_sendto(self.far, output.datagram, at)

    def plan(self, *, demanded: bool = False) -> Plan:
        """To that gateway."""
        return Plan("slopn0", public(SERVER), CLIENT, None, self.own, self.other, demanded)

    async def agrees(self) -> None:
        """A session under the configured key, the exchange, and a session under the new key."""
        await self.protection.event(HandshakeDone(public(SERVER)))
        await until_async(lambda: self.engine.keys is not None and self.engine.keys[1][:1] == (1,), 20, "agreed")
        await self.protection.event(HandshakeDone(public(SERVER), preshared=1))


@asynccontextmanager
async def running() -> AsyncIterator[Bench]:
    """At work."""
    bench = Bench()
    with suppress(asyncio.CancelledError), bench.far:
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(bench.protection.run()), tasks.create_task(bench.serve())]
            await asyncio.sleep(0)
            yield bench
            bench.protection.close()
            for loop in loops:
                loop.cancel()


@in_loop
async def test_a_key_is_agreed_and_told() -> None:
    """With the time of its agreement by the wall's clock; the gate of one that isn't demanded is nobody's business."""
    async with running() as bench:
        await bench.protection.aim(bench.plan())
        told = bench.protection.told()
        assert told is not None
        assert (told.demanded, told.since) == (False, None)
        await bench.agrees()
        told = bench.protection.told()
        assert told is not None
        assert told.since == pytest.approx(5000.0, abs=60.0)
        assert (bench.told, bench.protection.protected) == ([], False)


@in_loop
async def test_demanded_the_tunnel_opens_with_the_key_and_closes_when_it_goes() -> None:
    """Whoever drops it is told when that is in force."""
    async with running() as bench:
        await bench.protection.aim(bench.plan(demanded=True))
        assert bench.told == []
        await bench.agrees()
        assert bench.told == [True]
        await bench.protection.aim(bench.plan(demanded=True))
        assert bench.protection.protected, "the same plan again changes nothing"
        assert await bench.protection.drop()
        assert bench.told == [True, False]
        assert (bench.protection.told(), bench.protection.gateway) == (None, None)


@in_loop
async def test_an_engine_that_is_gone_has_no_key() -> None:
    """Closed, and its sessions are forgotten."""
    async with running() as bench:
        await bench.protection.aim(bench.plan(demanded=True))
        await bench.agrees()
        await bench.protection.event(EngineDown("gone"))
        assert bench.told == [True, False]


@in_loop
async def test_a_tunnel_that_can_not_be_closed_gets_no_weaker_key() -> None:
    """The gateway is silent, and the firewall refuses: the engine isn't given the configured key again."""
    async with running() as bench:
        await bench.protection.aim(bench.plan(demanded=True))
        await bench.agrees()
        before = bench.engine.keys
        bench.closes = False
        await bench.protection.event(HandshakeStale(public(SERVER)))
        assert bench.told == [True, False]
        assert bench.engine.keys == before


@in_loop
async def test_a_session_from_before_the_way_was_there_counts() -> None:
    """The handshake comes before the addresses do."""
    async with running() as bench:
        await bench.protection.event(HandshakeDone(public(SERVER)))
        await bench.protection.aim(bench.plan())
        await until_async(lambda: bench.engine.keys is not None, 20, "a key")


@pytest.mark.parametrize(
    ("profile", "ends"),
    [
        (PROFILE, None),
        (replace(PROFILE, post_quantum=PostQuantum.DEMAND), None),
        (replace(ENROLLED, post_quantum=PostQuantum.OFF), None),
        (replace(ENROLLED, enrolment=replace(ENROLMENT, inside=(ip_address("fd09::1"),))), None),
        (ENROLLED, (ip_address("10.9.0.2"), ip_address("10.9.0.1"))),
    ],
)
def test_the_way_is_of_one_family(profile: object, ends: object) -> None:
    """Of an enrolled profile that wants keys, and of no other."""
    assert way(profile) == ends  # type: ignore[arg-type]


def test_a_plan_shows_no_key() -> None:
    """In a log."""
    assert repr(bytes(32)) not in repr(Plan("slopn0", SERVER, bytes(32), bytes(32), *(ip_address("::1"),) * 2, True))
