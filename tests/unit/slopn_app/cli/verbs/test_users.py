from __future__ import annotations

import pytest

from slopn_wire.commands import AddUser
from slopn_wire.events import ErrorKind, Refused
from support.fake_helper import FakeHelper
from support.slopn import Slopn


def test_who_may_and_why(helper: FakeHelper, slopn: Slopn) -> None:
    """A table with a sentence each; the added ones alone by name, for completion."""
    helper.run(lambda: helper.users.add("alice"))
    lines = slopn("users").out.splitlines()
    assert lines[0].split() == ["USER", "UID", "WHY"]
    assert [line.split()[0] for line in lines[1:]] == ["root", "somebody", "alice"]
    assert "root may do everything" in lines[1]
    assert "a member of the group slopn" in lines[2]
    assert "added with `slopn users add`" in lines[3]
    assert slopn("users", "--names").out == "alice\n"


def test_json(helper: FakeHelper, slopn: Slopn) -> None:
    """As on the wire."""
    assert slopn("users", "--json").json[0] == {"name": "root", "uid": 0, "basis": "root"}
    assert helper.path


def test_add_and_remove(helper: FakeHelper, slopn: Slopn) -> None:
    """By name; it holds at once."""
    assert slopn("users", "add", "alice").out == "alice may use SloPN from now on.\n"
    assert "alice" in {user.name for user in helper.users.all()}
    assert slopn("users", "remove", "alice").status == 0
    assert "alice" not in {user.name for user in helper.users.all()}
    assert slopn("users", "add", "bob", "--json").json == {"added": "bob", "notes": []}
    assert slopn("users", "remove", "bob", "--json").json == {"removed": "bob", "notes": []}


def test_an_unknown_one(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 2, with the helper's sentence."""
    outcome = slopn("users", "remove", "nobody-at-all")
    assert outcome.status == 2
    assert "nobody-at-all" in outcome.err
    assert helper.path


def test_it_is_for_root(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 4, and how to become it."""
    helper.answer(AddUser, Refused(ErrorKind.NOT_PERMITTED, "Only root may: put `sudo` in front."))
    outcome = slopn("users", "add", "alice")
    assert (outcome.status, outcome.err) == (4, "slopn: Only root may: put `sudo` in front.\n")


@pytest.mark.parametrize("arguments", [["add"], ["show"], ["remove", ""], ["add", "alice", "--names"], ["alice"]])
def test_wrong_usage(helper: FakeHelper, slopn: Slopn, arguments: list[str]) -> None:
    """Status 2, and how it is used."""
    outcome = slopn("users", *arguments)
    assert outcome.status == 2
    assert "slopn users [add NAME | remove NAME]" in outcome.err
    assert helper.commands == []
