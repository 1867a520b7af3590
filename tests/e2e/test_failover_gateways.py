"""An enrolment's gateways take each other's place: within 5 s of a death, and nothing leaks on the way."""

from __future__ import annotations

import logging
import time

import pytest

from slopn_wire.profile import PostQuantum
from support.echo import EchoStream
from support.fleet import Fleet
from support.topology import WEB4

_log = logging.getLogger(__name__)


@pytest.mark.leak
@pytest.mark.parametrize("post_quantum", [PostQuantum.DEMAND, pytest.param(PostQuantum.OFF, marks=pytest.mark.long)])
def test_another_gateway_takes_over(post_quantum: PostQuantum) -> None:
    """The one in use dies, twice; traffic goes on through another, 0 frames leaked. Outages are logged."""
    with Fleet(3, post_quantum) as fleet, fleet.somebody_sending() as generator:
        assert fleet.leaks(generator).total > 0, "the capture must see leaks on an open host"
        fleet.connect()
        fleet.capture.reset()
        with EchoStream(fleet.lab.client, WEB4) as echo:
            echo.wait_answer(time.monotonic(), 10.0, "the echo answers through the tunnel")
            for _ in range(2):
                dead = fleet.in_use()
                died = time.monotonic()
                dead.kill()
                echo.wait_answer(died + 1.0, 30.0, "answers come again")
                _log.warning("%s: %.2f s without an answer", post_quantum, echo.longest_gap(died))
                fleet.reaches(lambda now: now["live"]["gateway"]["host"] != dead.address, 20, "told")  # noqa: B023 - called at once
                assert fleet.visitor() == fleet.in_use().address
        tally = fleet.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"
