from __future__ import annotations

import pytest

from slopn_app.cli.failure import Failure
from slopn_app.cli.verbs.disconnect import seconds
from slopn_wire.commands import Disconnect
from slopn_wire.events import Done, Live, PolicyKind, StateChanged
from slopn_wire.state import Disconnected, TargetState
from support.fake_helper import FakeHelper
from support.samples import CONNECTED
from support.slopn import Slopn


def test_without_wait_it_hands_the_command_over(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 0 means accepted."""
    outcome = slopn("disconnect")
    assert (outcome.status, outcome.out) == (0, "SloPN disconnects now.\n")
    assert helper.commands == [Disconnect()]
    assert slopn("disconnect", "--json").json == {"accepted": True, "notes": []}


def test_wait_ends_with_the_tunnel_gone(helper: FakeHelper, slopn: Slopn) -> None:
    """And says what that means for the traffic."""
    helper.show(CONNECTED)

    def answer(_: object) -> Done:
        helper.hub.publish(
            StateChanged(Disconnected(), 5.0, TargetState.UNSECURED, None, None, PolicyKind.OPEN, Live())
        )
        return Done()

    helper.answer(Disconnect, answer)
    outcome = slopn("disconnect", "--wait")
    assert (outcome.status, outcome.out) == (0, "Not protected\n  Your traffic goes out directly.\n")
    assert slopn("disconnect", "--wait", "--json").json["state"] == "disconnected"


def test_wait_times_out(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 5."""
    helper.show(CONNECTED)
    assert slopn("disconnect", "--wait", "0").status == 5


@pytest.mark.parametrize(("text", "value"), [(None, None), ("0", 0.0), ("2.5", 2.5), ("86400", 86_400.0)])
def test_seconds(text: str | None, value: float | None) -> None:
    """Whole or not, up to a day."""
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "x", "-0.1", "86401", "nan"])
def test_seconds_that_are_none(text: str) -> None:
    """The sentence repeats what was found."""
    with pytest.raises(Failure, match="--wait takes seconds"):
        seconds(text)
