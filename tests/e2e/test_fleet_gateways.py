"""Three real gateways on one PostgreSQL: enrolled at one, a device uses any, and another one when that dies."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest

from support.gateway_fleet import WITHIN, GatewayFleet
from support.until import until

_log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def fleet() -> Iterator[GatewayFleet]:
    """All three at work; the tests go on from each other."""
    with GatewayFleet(3) as made:
        yield made


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
        until(lambda: fleet.visitor(1.0), WITHIN, "new connections work again")
        _log.warning("%.2f s from the death until a new connection works", time.monotonic() - died)
        third = fleet.in_use()
        assert third not in {first, second}
        tally = fleet.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"
