from __future__ import annotations

import re
from pathlib import Path

import pytest

from slopn_app.cli import chosen
from slopn_app.words import RIGHTS
from slopn_wire.devices import Right
from support.fake_helper import FakeHelper
from support.slopn import Slopn


@pytest.fixture
def unpaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHelper:
    """A helper that doesn't know the command line yet; it pairs root in silence."""
    helper = FakeHelper(tmp_path / "other")
    monkeypatch.setenv("SLOPN_SOCKET", helper.path)
    return helper


def test_it_pairs_once(unpaired: FakeHelper, slopn: Slopn) -> None:
    """And says so the second time."""
    with unpaired:
        outcome = slopn("pair")
        (device,) = unpaired.run(lambda: unpaired.hub.devices)
        assert (outcome.status, outcome.out) == (0, f"Paired as device {device.id}: it may view, connect, configure.\n")
        again = slopn("pair")
        assert again.status == 0
        assert again.out.startswith(f"This program is paired already, as device {device.id};")
        assert slopn("pair", "--json").json == {"device": device.id, "paired": False}


def test_a_name_and_fewer_rights(unpaired: FakeHelper, slopn: Slopn) -> None:
    """In any order; a new choice needs --again, and never goes by unheard."""
    with unpaired:
        assert slopn("pair", "--name", "backup", "--rights", "connect,VIEW").status == 0
        (device,) = unpaired.run(lambda: unpaired.hub.devices)
        assert (device.name, device.rights) == ("backup", (Right.VIEW, Right.CONNECT))
        refused = slopn("pair", "--rights", "view")
        assert refused.status == 1
        assert "--again" in refused.err
        outcome = slopn("pair", "--rights", "view", "--again", "--json")
        assert outcome.json["paired"]
        assert f"slopn devices revoke {device.id}" in outcome.err
        assert slopn("disconnect").status == 4


def test_the_number_is_asked_for(tmp_path: Path, slopn: Slopn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can be asked: status 4, and what to do."""
    with FakeHelper(tmp_path / "strange", posing=True) as helper:
        monkeypatch.setenv("SLOPN_SOCKET", helper.path)
        outcome = slopn("pair")
        assert outcome.status == 4
        assert "slopn pair" in outcome.err
        monkeypatch.setattr(chosen, "ask_number", lambda _: re.findall(r"\d{6}", helper.gatekeeper.shown[-1])[-1])
        assert slopn("pair").status == 0


@pytest.mark.parametrize("rights", ["", "everything", "view,", "view;connect"])
def test_rights_that_are_none(helper: FakeHelper, slopn: Slopn, rights: str) -> None:
    """Status 2, with those that there are."""
    outcome = slopn("pair", "--rights", rights)
    assert outcome.status == 2
    assert "view, connect, configure" in outcome.err
    assert helper.path


def test_without_a_helper(slopn: Slopn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 3."""
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "none"))
    assert slopn("pair").status == 3


def test_every_right_has_words() -> None:
    """A new one can't be forgotten."""
    assert list(RIGHTS) == [right.value for right in Right]
