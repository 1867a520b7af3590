from __future__ import annotations

import io

import pytest
from msgspec.structs import replace

from slopn_app.cli.verbs import enrol
from slopn_wire.commands import CheckEnrolment, Enrol, RenewEnrolment
from slopn_wire.events import ErrorKind, Refused
from slopn_wire.profile_replies import Enrolled
from support.fake_helper import FakeHelper
from support.samples import CONNECTED, ENROLLED, LINK_HOLDS
from support.slopn import Slopn

LINK = "slopn://enrol?host=vpn.example.org&port=443&pin=p&token=t"
HOLDS = [
    "Addresses: 10.64.0.2/32, fd00:64::2/128",
    "DNS: 10.64.0.1",
    "Gateways: vpn.example.org:51820, 203.0.113.9:51820",
]


@pytest.fixture
def asked(helper: FakeHelper) -> FakeHelper:
    """Takes any link."""
    helper.answer(CheckEnrolment, LINK_HOLDS)
    helper.answer(Enrol, Enrolled(ENROLLED))
    helper.answer(RenewEnrolment, Enrolled(ENROLLED))
    return helper


def test_a_link_is_shown_before_anything_is_sent(
    asked: FakeHelper, slopn: Slopn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it leads and which key must answer; a no is a no."""
    questions: list[tuple[str, str]] = []
    answers = iter((False, True))

    def agree(question: str, instead: str) -> bool:
        questions.append((question, instead))
        return next(answers)

    monkeypatch.setattr(enrol, "agreed", agree)
    refused = slopn("enrol", LINK, "--name", "office")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.splitlines()[:2] == [
        "This link leads to vpn.example.org:443.",
        "Its key must be this one: " + " ".join(["5f5f"] * 16),
    ]
    assert asked.commands == [CheckEnrolment(LINK)]
    taken = slopn("enrol", LINK, "--name", "office")
    assert taken.status == 0
    assert asked.commands[1:] == [CheckEnrolment(LINK), Enrol(LINK, "office")]
    assert "office" in questions[0][0]


def test_it_says_what_the_profile_holds(asked: FakeHelper, slopn: Slopn) -> None:
    """Lines for a person, the profile for a program; the link is on neither."""
    outcome = slopn("enrol", LINK, "--yes", "--replace")
    lines = outcome.out.splitlines()
    assert lines[:4] == ["Enrolled vpn.example.org.", *HOLDS]
    assert lines[4].startswith("Until: 2026-")
    assert asked.commands[-1] == Enrol(LINK, None, True)
    document = slopn("enrol", LINK, "--yes", "--json").json
    assert document["profile"]["enrolment"]["expires"] == 1_775_052_000.0
    forever = replace(ENROLLED, enrolment=replace(ENROLLED.enrolment, expires=None))  # type: ignore[type-var]
    asked.answer(Enrol, Enrolled(forever))
    assert slopn("enrol", LINK, "--yes").out.splitlines()[1:] == HOLDS


def test_a_link_from_stdin(asked: FakeHelper, slopn: Slopn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no other user reads it; without a person nothing is done unless --yes says so."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{LINK}\nmore"))
    assert slopn("enrol", "-").status == 2
    assert asked.commands == [CheckEnrolment(LINK)]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{LINK}\n"))
    assert slopn("enrol", "-", "--yes").status == 0
    assert asked.commands[-1] == Enrol(LINK)


def test_renew_and_rotate(asked: FakeHelper, slopn: Slopn) -> None:
    """By the profile's name."""
    assert slopn("enrol", "--renew", "office").out.startswith("Renewed vpn.example.org.\nAddresses:")
    assert "another key" in slopn("enrol", "--rotate", "office").out
    assert asked.commands == [RenewEnrolment("office"), RenewEnrolment("office", True)]


@pytest.mark.parametrize("words", [(), (LINK, "--renew", "a"), ("--renew", "a", "--rotate", "a")])
def test_one_thing_at_a_time(asked: FakeHelper, slopn: Slopn, words: tuple[str, ...]) -> None:
    """Status 2, and nothing is asked."""
    assert slopn("enrol", *words).status == 2
    assert asked.commands == []


def test_what_the_helper_refuses_is_said(asked: FakeHelper, slopn: Slopn) -> None:
    """In its words."""
    asked.answer(Enrol, Refused(ErrorKind.FAILED, "The gateway doesn't take this link."))
    assert slopn("enrol", LINK, "--yes") == (1, "", "slopn: The gateway doesn't take this link.\n")
    asked.answer(CheckEnrolment, Refused(ErrorKind.INVALID, "The link lacks its token."))
    assert slopn("enrol", LINK).status == 2


def test_profiles_say_until_when(helper: FakeHelper, slopn: Slopn) -> None:
    """Below the table."""
    helper.show(replace(CONNECTED, profiles=(ENROLLED,)))
    assert slopn("profiles").err.startswith("vpn.example.org: enrolled until 2026-")
