from __future__ import annotations

import pytest

from slopn_wire.commands import Connect
from slopn_wire.events import Done, ErrorKind, PolicyKind, Refused, StateChanged
from slopn_wire.state import Connected, TargetState
from support.fake_helper import FakeHelper
from support.samples import CONNECTED, DISCONNECTED, LIVE
from support.slopn import Slopn


def succeed(helper: FakeHelper) -> None:
    """From now on connecting works at once."""
    helper.show(DISCONNECTED)

    def answer(command: object) -> Done:
        assert isinstance(command, Connect)
        name = command.profile or "berlin"
        state = Connected(name, (), "slopn0")
        helper.hub.publish(StateChanged(state, 5.0, TargetState.SECURED, name, None, PolicyKind.TUNNELLED, LIVE))
        return Done()

    helper.answer(Connect, answer)


@pytest.mark.parametrize(("arguments", "profile"), [([], None), (["berlin"], "berlin")])
def test_without_wait_it_hands_the_command_over(
    helper: FakeHelper, slopn: Slopn, arguments: list[str], profile: str | None
) -> None:
    """Status 0 means accepted."""
    outcome = slopn("connect", *arguments)
    assert (outcome.status, outcome.out) == (0, "SloPN connects now.\n")
    assert helper.commands == [Connect(profile)]


def test_notes_are_shown(helper: FakeHelper, slopn: Slopn) -> None:
    """On stderr, or in the document."""
    helper.answer(Connect, Done(("The kill switch is off.",)))
    assert slopn("connect").err == "The kill switch is off.\n"
    assert slopn("connect", "--json").json == {"accepted": True, "notes": ["The kill switch is off."]}


@pytest.mark.parametrize(
    ("arguments", "profile"),
    [
        (["--wait"], None),
        (["--wait", "20"], None),
        (["berlin", "--wait"], "berlin"),
        (["berlin", "--wait", "20"], "berlin"),
        (["--wait", "20", "berlin"], "berlin"),
        (["--wait", "berlin"], "berlin"),
        (["--wait=20", "berlin"], "berlin"),
    ],
)
def test_wait_ends_with_the_tunnel_up(
    helper: FakeHelper, slopn: Slopn, arguments: list[str], profile: str | None
) -> None:
    """Wherever profile and number stand; a name right behind --wait is the profile."""
    succeed(helper)
    outcome = slopn("connect", *arguments)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("Protected through berlin\n")
    assert helper.commands == [Connect(profile)]


def test_wait_with_json_prints_the_status(helper: FakeHelper, slopn: Slopn) -> None:
    """The same document as `slopn status --json`."""
    succeed(helper)
    document = slopn("connect", "--wait", "--json").json
    assert (document["state"], document["policy"]) == ("connected", "tunnelled")
    assert document == slopn("status", "--json").json


def test_wait_times_out(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 5."""
    helper.show(DISCONNECTED)
    outcome = slopn("connect", "--wait", "0.05")
    assert outcome.status == 5
    assert outcome.err.startswith("slopn: Not connected after 0.05 s: Not protected\n")


def test_an_unknown_profile_is_bad_input(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 2, in the helper's words."""
    helper.answer(Connect, Refused(ErrorKind.INVALID, "There is no profile 'oslo'; there is berlin."))
    outcome = slopn("connect", "oslo")
    assert (outcome.status, outcome.err) == (2, "slopn: There is no profile 'oslo'; there is berlin.\n")


@pytest.mark.parametrize("limit", ["soon", "-1", "nan", "inf", "1e9"])
def test_a_wait_that_is_no_number_is_wrong_usage(helper: FakeHelper, slopn: Slopn, limit: str) -> None:
    """Status 2, and nothing was sent."""
    helper.show(CONNECTED)
    outcome = slopn("connect", "berlin", f"--wait={limit}")
    assert outcome.status == 2
    assert helper.commands == []
