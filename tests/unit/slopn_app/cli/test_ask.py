from __future__ import annotations

import io
import sys

import pytest

from slopn_app.cli.ask import agreed, answer, asks
from slopn_app.cli.failure import Failure, Status


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def person(monkeypatch: pytest.MonkeyPatch, text: str) -> Terminal:
    """Sits at the terminal and types `text`; what they see."""
    seen = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(text))
    monkeypatch.setattr(sys, "stderr", seen)
    return seen


@pytest.mark.parametrize(
    ("text", "expected"),
    [("y\n", True), (" YES \n", True), ("\n", False), ("n\n", False), ("", False), ("yy\n", False)],
)
def test_only_yes_is_yes(monkeypatch: pytest.MonkeyPatch, text: str, expected: bool) -> None:
    """Nothing, the end of input and anything else mean no."""
    seen = person(monkeypatch, text)
    assert agreed("Really?", "--yes") is expected
    assert seen.getvalue().startswith("Really? [y/N] ")


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script is told what to use instead; it never hangs on a question."""
    person(monkeypatch, "y\n")
    assert asks()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not asks()
    with pytest.raises(Failure) as failed:
        agreed("Really?", "slopn x --yes")
    assert failed.value.status is Status.USAGE
    assert "slopn x --yes" in failed.value.lines[1]


def test_an_answer_has_no_blanks_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question is cleaned of what would command the terminal."""
    seen = person(monkeypatch, "  rules.txt \n")
    assert answer("Which\x1b? ") == "rules.txt"
    assert "\x1b" not in seen.getvalue()
