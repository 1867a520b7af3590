from __future__ import annotations

import pytest

from slopn_app.cli.verbs.pause import LONGEST
from slopn_wire.commands import LONGEST_PAUSE, Pause
from slopn_wire.events import Done, ErrorKind, Refused
from support.fake_helper import FakeHelper
from support.slopn import Slopn


def test_the_longest_is_the_helpers() -> None:
    """The constant that stands here, to spare the import, is the same."""
    assert LONGEST == LONGEST_PAUSE


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [([], 300), (["15"], 900), (["0.5"], 30), (["90s"], 90), (["2h"], 7200), (["24h"], 86_400)],
)
def test_minutes_or_a_time(helper: FakeHelper, slopn: Slopn, arguments: list[str], seconds: int) -> None:
    """Five minutes if nothing is said; the helper gets seconds."""
    outcome = slopn("pause", *arguments)
    assert outcome.status == 0
    assert outcome.out.startswith("SloPN pauses now, until ")
    assert "`slopn connect` ends it early" in outcome.out
    assert helper.commands == [Pause(seconds)]


@pytest.mark.parametrize("text", ["0", "-5", "soon", "25h", "1441", "5 m", "", "inf"])
def test_what_is_no_pause(helper: FakeHelper, slopn: Slopn, text: str) -> None:
    """Status 2, and nothing was sent."""
    assert slopn("pause", "--", text).status == 2
    assert helper.commands == []


def test_json_and_notes(helper: FakeHelper, slopn: Slopn) -> None:
    """What was accepted; the helper's notes beside it."""
    helper.answer(Pause, Done(("a note",)))
    outcome = slopn("pause", "1", "--json")
    assert (outcome.json, outcome.err) == ({"accepted": True, "seconds": 60, "notes": ["a note"]}, "a note\n")


def test_nothing_to_pause(helper: FakeHelper, slopn: Slopn) -> None:
    """The helper's sentence."""
    helper.answer(Pause, Refused(ErrorKind.INVALID, "Nothing is connected."))
    outcome = slopn("pause")
    assert (outcome.status, outcome.err) == (2, "slopn: Nothing is connected.\n")
