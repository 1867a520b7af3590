from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from slopn_helper.gateway import choices
from slopn_helper.gateway.choices import Choices
from slopn_helper.gateway.cli import UsageError, questions

BASE = choices.first("localhost", bytes(7), Path("/srv"))


def answered(monkeypatch: pytest.MonkeyPatch, *lines: str, known: Choices | None = None, pools: bool = True) -> Choices:
    """What comes of these answers."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    return questions.asked(known or Choices(), BASE, pools=pools)


def test_enter_takes_what_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the endpoint, which is asked for until it is there."""
    assert answered(monkeypatch, "", "vpn.example.org", "", "", "", "", "") == Choices(endpoint="vpn.example.org")


def test_what_cannot_be_is_asked_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With what is allowed."""
    found = answered(
        monkeypatch, "a b", "vpn.example.org", "0", "x", "443", "", "1.1.1", "9.9.9.9, 2620:fe::fe", "10.0.0.0/8", ""
    )
    assert found == Choices("vpn.example.org", 443, ipv4=("10.0.0.0/8",), dns=("9.9.9.9", "2620:fe::fe"))
    assert "a number from 1 to 65535" in capsys.readouterr().out


def test_what_was_said_is_not_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor are networks where a registry has them."""
    known = Choices("vpn.example.org", 443, https_port=8443, dns=())
    assert answered(monkeypatch, known=known, pools=False) == known
    assert capsys.readouterr().out == ""


def test_the_end_of_the_input_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-D."""
    with pytest.raises(UsageError, match="Nothing was changed"):
        answered(monkeypatch)


@pytest.mark.parametrize(("line", "wanted"), [("y", True), ("YES", True), ("", False), ("no", False)])
def test_only_yes_is_yes(monkeypatch: pytest.MonkeyPatch, line: str, *, wanted: bool) -> None:
    """Enter isn't."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{line}\n"))
    assert questions.yes("Change it?") is wanted
