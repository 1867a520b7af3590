from __future__ import annotations

import io
import time

import pytest

from slopn_app.applicant import NumberWanted
from slopn_app.cli.channel import ask_number


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


def at_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> Terminal:
    """Give the test a terminal at which that has been typed; what it shows."""
    shown = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stderr", shown)
    return shown


def test_the_number_is_asked_for_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """With where to find it; an empty line asks again."""
    shown = at_terminal(monkeypatch, "\n 123456 \n")
    assert ask_number(NumberWanted(time.time() + 60, "")) == "123456"
    assert "sudo slopn devices" in shown.getvalue()
    assert "journalctl -u slopn-helper" in shown.getvalue()
    assert shown.getvalue().count("Number: ") == 2


def test_a_wrong_number_is_told_with_the_next_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the helper's words, instead of all that was said before."""
    shown = at_terminal(monkeypatch, "1\n")
    assert ask_number(NumberWanted(time.time() + 60, "That isn't the number.")) == "1"
    assert shown.getvalue() == "That isn't the number.\nNumber: "


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script must not hang; neither must an end of input, or a time that is up."""
    at_terminal(monkeypatch, "")
    assert ask_number(NumberWanted(time.time() + 60, "")) is None
    at_terminal(monkeypatch, "123456\n")
    assert ask_number(NumberWanted(time.time() - 1, "")) is None
    monkeypatch.setattr("sys.stdin", io.StringIO("123456\n"))
    assert ask_number(NumberWanted(time.time() + 60, "")) is None
    at_terminal(monkeypatch, "123456\n")
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert ask_number(NumberWanted(time.time() + 60, "")) is None
