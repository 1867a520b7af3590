"""Three real gateways on one PostgreSQL: enrolled at one, a device uses any, and another one when that dies."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_interface

import pytest

from slopn_helper.gateway import types
from slopn_helper.gateway.types import Enrolled, Lease
from slopn_wire.enrolment import parse_link
from support.enrolment import DeviceKey, Reply, text
from support.gateway import Keys
from support.gateway_client import line
from support.gateway_device import Device
from support.gateway_fleet import WITHIN, GatewayFleet
from support.topology import WEB4
from support.until import until

_log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def fleet() -> Iterator[GatewayFleet]:
    """All three at work; the tests go on from each other."""
    with GatewayFleet(3) as made:
        yield made


class Newcomer:
    """A device that enrols by the API of one gateway, and is let in by another."""

    def __init__(self, fleet: GatewayFleet, number: int) -> None:
        self._fleet = fleet
        first, second = fleet.sites[:2]
        secret = parse_link(first.link()).token
        key = DeviceKey()

        async def enrol() -> Reply:
            async with line(fleet.lab.client, first.address) as there:
                reply = await key.enrol(there, secret, f"laptop {number}")
                self._answered = time.monotonic()
                return reply

        reply = asyncio.run(enrol())
        assert reply.status == 200, reply
        self._public = text(key.public)
        until(lambda: self._public in second.peers(), WITHIN, "the other gateway lets it in")
        self.known = time.monotonic() - self._answered
        body = reply.body
        leases = tuple(
            Lease(body["device"], f"v{address.version}", address.ip) for address in map(ip_interface, body["addresses"])
        )
        device = types.Device(body["device"], "laptop", key.public, types.DeviceKind.SLOPN, 0.0)
        keys = Keys(text(key.private), self._public)
        with closing(Device.of(second.gateway, fleet.lab.client, keys, Enrolled(device, leases))) as made:
            made.connect()
            self.used = time.monotonic() - self._answered
            assert made.reaches(WEB4)


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.long)])
def test_enrolled_at_one_usable_at_another(fleet: GatewayFleet, times: int) -> None:
    """By the API of A; B hears of it by the database. The times are logged."""
    seen = [Newcomer(fleet, number) for number in range(times)]
    for what, taken in (("known", [one.known for one in seen]), ("used", [one.used for one in seen])):
        middle, longest = statistics.median(taken), max(taken)
        _log.warning("%s at B: median %.0f ms, longest %.0f ms of %d", what, middle * 1e3, longest * 1e3, times)


@pytest.mark.leak
def test_enrolled_at_one_connected_at_another_and_that_one_dies(fleet: GatewayFleet) -> None:
    """`slopn enrol` at A; A is away: B or C takes it. That one is killed: new connections work by the last. 0 frames leaked."""
    first = fleet.sites[0]
    with fleet.somebody_sending() as generator:
        assert fleet.leaks(generator).total > 0, "the capture must see leaks on an open host"
        fleet.slopn("enrol", first.link(), "--yes")
        first.pull()
        fleet.slopn("connect", "--wait", "60")
        fleet.capture.reset()
        second = fleet.in_use()
        assert second is not first
        second.gateway.kill()
        died = time.monotonic()
        until(lambda: fleet.visitor(seconds=1.0), WITHIN, "new connections work again")
        _log.warning("%.2f s from the death until a new connection works", time.monotonic() - died)
        third = fleet.in_use()
        assert third not in {first, second}
        tally = fleet.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"


@pytest.mark.long
def test_a_start_without_the_database_lets_in_who_was_known(fleet: GatewayFleet) -> None:
    """From the gateway's own copy, for root's eyes alone; when the database is back, its word counts."""
    site = fleet.sites[0]
    gateway = site.gateway
    copy = gateway.state / "devices.json"
    with closing(Device.enrol(gateway, fleet.lab.client)) as device:
        until(lambda: device.keys.public in site.peers(), WITHIN, "it is let in")
    known = set(site.peers())
    until(lambda: all(key in copy.read_text(encoding="utf-8") for key in known), WITHIN, "the copy is written")
    assert copy.stat().st_mode & 0o777 == 0o600
    fleet.server.kill()
    gateway.kill()
    gateway.start()
    assert set(site.peers()) == known
    assert not gateway.status()["enrolling"]
    fleet.server.start()
    until(lambda: gateway.status()["trouble"] == [], WITHIN, "all is as it was")
    assert set(site.peers()) == known


@pytest.mark.long
def test_a_gateway_with_anothers_key_does_not_start(fleet: GatewayFleet) -> None:
    """A copied server: said in a sentence, while the first goes on."""
    first, second = fleet.sites[0].gateway, fleet.sites[1].gateway
    second.kill()
    (second.state / "wireguard.key").write_bytes((first.state / "wireguard.key").read_bytes())
    done = second.cli("serve", check=False)
    assert done.returncode == 1
    assert "Another gateway has this one's WireGuard key" in done.stderr
    assert "Traceback" not in done.stderr
    assert first.status()["trouble"] == []
