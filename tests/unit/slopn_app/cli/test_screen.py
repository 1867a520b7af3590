from __future__ import annotations

import io
import os
import pty
import re

import pytest

from slopn_app.cli.screen import Screen, redraws


class Emulator:
    """As much of a terminal as `Screen` uses: lines, a cursor, CUU, EL, ED and SGR (ECMA-48)."""

    def __init__(self) -> None:
        self.lines: list[str] = [""]
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        """Obey `text`."""
        for part in re.findall(r"\x1b\[\d*[A-Za-z]|\n|\r|[^\x1b\n\r]+", text):
            if part.startswith("\x1b"):
                self._escape(part)
            elif part == "\n":
                self._row, self._column = self._row + 1, 0
                self.lines += [""] * (self._row + 1 - len(self.lines))
            elif part == "\r":
                self._column = 0
            else:
                line, end = self.lines[self._row], self._column + len(part)
                self.lines[self._row] = line[: self._column] + part + line[end:]
                self._column = end

    def _escape(self, part: str) -> None:
        match part[-1]:
            case "A":
                self._row -= int(part[2:-1])
                assert self._row >= 0
            case "K":
                self.lines[self._row] = self.lines[self._row][: self._column]
            case "J":
                del self.lines[self._row + 1 :]
                self.lines[self._row] = ""
            case _:
                assert part[-1] == "m"


class Terminal(io.StringIO):
    """Says that it is one, of no known size."""

    def isatty(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """None."""
        raise OSError


def test_lines_are_drawn_in_the_same_place() -> None:
    """More of them, fewer, longer, shorter: only the last drawing is to be seen."""
    stream, emulator = Terminal(), Emulator()
    screen = Screen(stream)
    for lines in (["one", "two"], ["a longer one", "2", "three"], ["x"], ["y", "z"]):
        stream.seek(0)
        stream.truncate()
        screen.show([*lines])
        emulator.feed(stream.getvalue())
        assert emulator.lines == [*lines, ""]


def test_what_does_not_fit_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """In both directions: a line that wrapped, or a screen that scrolled, couldn't be drawn over."""
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((10, 4)))
    stream, emulator = Terminal(), Emulator()
    stream.fileno = lambda: 1  # type: ignore[method-assign]
    Screen(stream).show(["x" * 50, (("abcdef", "bad"), ("ghijkl", "")), "a\nb", "four", "five"])
    emulator.feed(stream.getvalue())
    assert emulator.lines == ["xxxxxxxx…", "abcdefgh…", "a b", ""]


def test_who_is_drawn_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal whose cursor moves."""
    monkeypatch.setenv("TERM", "xterm")
    assert redraws(Terminal())
    assert not redraws(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not redraws(Terminal())


def test_a_real_terminal_has_a_size() -> None:
    """And what it gets are the lines."""
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        Screen(stream).show(["hello"])
        assert b"hello" in os.read(leader, 1000)
    os.close(leader)
