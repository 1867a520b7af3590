from __future__ import annotations

from msgspec.structs import replace

from slopn_wire.commands import GetSnapshot
from slopn_wire.events import ErrorKind, Refused
from slopn_wire.state import ErrorCause, ErrorState
from support.fake_helper import FakeHelper
from support.samples import CONNECTED
from support.slopn import Slopn


def test_a_person_reads_the_headline(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 0; what is protected stands first."""
    helper.show(CONNECTED)
    outcome = slopn("status")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[0] == "Protected through berlin"


def test_a_script_reads_the_document(helper: FakeHelper, slopn: Slopn) -> None:
    """One line of JSON."""
    helper.show(CONNECTED)
    outcome = slopn("status", "--json")
    assert (outcome.status, outcome.out.count("\n")) == (0, 1)
    assert (outcome.json["state"], outcome.json["profile"], outcome.json["seq"]) == ("connected", "berlin", 7)


def test_a_bad_state_is_no_failure_of_the_verb(helper: FakeHelper, slopn: Slopn) -> None:
    """The question was answered: status 0."""
    helper.show(replace(CONNECTED, state=ErrorState(ErrorCause.FIREWALL, "berlin")))
    assert slopn("status").status == 0


def test_a_refusal_is(helper: FakeHelper, slopn: Slopn) -> None:
    """Who may not look gets status 4."""
    helper.answer(GetSnapshot, Refused(ErrorKind.NOT_PERMITTED, "You may not."))
    outcome = slopn("status")
    assert (outcome.status, outcome.out, outcome.err) == (4, "", "slopn: You may not.\n")
