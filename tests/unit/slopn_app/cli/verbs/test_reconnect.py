from __future__ import annotations

from slopn_wire.commands import Reconnect
from slopn_wire.events import Done, ErrorKind, PolicyKind, Refused, StateChanged
from slopn_wire.state import Connected, TargetState
from support.fake_helper import FakeHelper
from support.samples import CONNECTED, LIVE
from support.slopn import Slopn


def test_without_wait_it_hands_the_command_over(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 0 means accepted."""
    outcome = slopn("reconnect")
    assert (outcome.status, outcome.out) == (0, "SloPN reconnects now.\n")
    assert helper.commands == [Reconnect()]


def test_wait_wants_a_fresh_tunnel(helper: FakeHelper, slopn: Slopn) -> None:
    """The one that is up when asked doesn't count."""
    helper.show(CONNECTED)
    assert slopn("reconnect", "--wait", "0.05").status == 5

    def answer(_: object) -> Done:
        state = Connected("berlin", (), "slopn0")
        helper.hub.publish(StateChanged(state, 5.0, TargetState.SECURED, "berlin", None, PolicyKind.TUNNELLED, LIVE))
        return Done()

    helper.answer(Reconnect, answer)
    outcome = slopn("reconnect", "--wait")
    assert (outcome.status, outcome.out.splitlines()[0]) == (0, "Protected through berlin")


def test_nothing_to_reconnect(helper: FakeHelper, slopn: Slopn) -> None:
    """The helper's refusal is the outcome."""
    helper.answer(Reconnect, Refused(ErrorKind.FAILED, "There is no tunnel."))
    assert slopn("reconnect").status == 1
