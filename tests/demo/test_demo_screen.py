from __future__ import annotations

import io

import pytest

from demo.screen import Screen, duration


class Terminal(io.TextIOWrapper):
    """A text stream over bytes that may claim to be a terminal."""

    def __init__(self, *, tty: bool, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self._tty = tty

    def isatty(self) -> bool:
        """As told."""
        return self._tty

    def shown(self) -> str:
        """All that was written."""
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


def show(screen: Screen) -> None:
    """One of everything."""
    with screen:
        screen.title("A title")
        screen.step(1, "A step", "What it does.")
        screen.state("Protected through demo", "203.0.113.10:51820", "tunnelled")
        screen.state("Protected through demo", "203.0.113.10:51820", "tunnelled")
        screen.tick("It held…")
        screen.cross("It did not hold.", "seen this\nand that")
        screen.verdict("The end.", good=False)


def test_piped_output_is_plain() -> None:
    """Without a terminal there are no escape codes, and a state is told once."""
    out = Terminal(tty=False)
    show(Screen(out))
    assert "\x1b" not in out.shown()
    assert out.shown().count("Protected through demo") == 1
    assert "✓ It held…" in out.shown()


def test_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal ticks are green, crosses red, and lines are redrawn in place."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal(tty=True)
    show(Screen(out))
    assert "\x1b[32m✓" in out.shown()
    assert "\x1b[31m✗" in out.shown()
    assert "\r\x1b[2K" in out.shown()


def test_plain_wins_over_a_terminal() -> None:
    """`--plain` means no escape codes on a terminal too."""
    out = Terminal(tty=True)
    show(Screen(out, plain=True))
    assert "\x1b" not in out.shown()


def test_other_encodings_get_words_for_marks() -> None:
    """Where the terminal has no ✓ there is [ok]."""
    out = Terminal(tty=False, encoding="ascii")
    show(Screen(out))
    assert "[ok] It held..." in out.shown()
    assert "[FAILED] It did not hold." in out.shown()


def test_durations_are_for_people() -> None:
    """Milliseconds below a second, then seconds with one digit."""
    assert (duration(0.0431), duration(2.149)) == ("43 ms", "2.1 s")
