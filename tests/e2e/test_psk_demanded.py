"""A profile that wants post-quantum keys gets them; one that demands them lets nothing pass without, whoever is at fault."""

from __future__ import annotations

from typing import Any

import pytest

from slopn_wire.profile import PostQuantum
from support.fleet import PROFILE, Fleet
from support.until import until

NONE = "(none)"


def protected(now: dict[str, Any]) -> bool:
    """Connected, and a key is in force."""
    key = now["live"]["post_quantum"]
    return bool(now["state"]["type"] == "connected" and key is not None and key["since"] is not None)


def refused(now: dict[str, Any]) -> bool:
    """No key: blocked, and told why."""
    state = now["state"]
    return (state["type"], state.get("cause"), now["policy"]) == ("connecting", "unprotected", "blocked")


@pytest.mark.leak
def test_a_gateway_that_does_not_speak_the_protocol_gets_nothing() -> None:
    """Nothing but the offers enters the tunnel, nothing leaves beside it; once the gateway speaks it, all goes on by itself."""
    with Fleet(1, PostQuantum.DEMAND) as fleet, fleet.somebody_sending() as generator:
        (far,) = fleet.ends
        far.kill()
        far.start(post_quantum=False)
        fleet.slopn("settings", "set", "portal_url", "none")
        assert fleet.leaks(generator).total > 0, "the capture must see leaks on an open host"
        fleet.slopn("connect", PROFILE)
        fleet.capture.reset()
        fleet.reaches(refused, 60, "refused")
        assert fleet.visitor(seconds=1) is None
        tally = fleet.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"
        assert far.heard() == 0
        far.kill()
        far.start()
        fleet.reaches(protected, 90, "protected")
        until(lambda: fleet.visitor() == far.address, 20, "traffic")
        assert far.heard() > 0
        assert fleet.key() != NONE


def test_wanted_and_not_demanded_the_tunnel_works_without() -> None:
    """And says so. Demanded from now on, while it is up: it is made anew, and closed."""
    with Fleet(1, PostQuantum.ON) as fleet:
        (far,) = fleet.ends
        fleet.connect()
        fleet.reaches(protected, 20, "protected")
        assert "post-quantum protected since" in " ".join(fleet.slopn("status").stdout.split())
        fleet.slopn("disconnect", "--wait", "20")
        far.kill()
        far.start(post_quantum=False)
        fleet.connect()
        assert fleet.visitor() == far.address
        assert "not protected" in fleet.slopn("status").stdout
        assert fleet.key() == NONE
        fleet.slopn("profiles", PROFILE, "--post-quantum", "demand")
        fleet.reaches(lambda now: now["state"].get("step") == "protecting", 20, "closed until there is a key")
        assert fleet.visitor(seconds=1) is None


@pytest.mark.long
@pytest.mark.leak
def test_a_gateway_that_stops_to_speak_it_is_no_way_down() -> None:
    """Started anew without the protocol it gets no traffic under the configured key: closed, and told why."""
    with Fleet(1, PostQuantum.DEMAND) as fleet, fleet.somebody_sending() as generator:
        (far,) = fleet.ends
        fleet.slopn("settings", "set", "portal_url", "none")
        fleet.connect()
        assert protected(fleet.snapshot())
        fleet.capture.reset()
        far.kill()
        far.start(post_quantum=False)
        before = far.heard()
        fleet.reaches(refused, 90, "refused")
        assert fleet.visitor(seconds=1) is None
        assert fleet.leaks(generator).total == 0
        assert far.heard() == before
