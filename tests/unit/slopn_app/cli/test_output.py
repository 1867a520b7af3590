from __future__ import annotations

import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_app.cli.output import (
    COLOURS,
    ago,
    clean,
    clock,
    colours,
    cut,
    day,
    dressed,
    put_json,
    put_json_lines,
    say,
    size,
    stamp,
    table,
    warn,
    width,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (12_345, "12.3 KB"),
        (123_456, "123 KB"),
        (999_999, "1000 KB"),
        (1_000_000, "1.0 MB"),
        (52_428_800, "52.4 MB"),
        (7_000_000_000, "7.0 GB"),
        (3_000_000_000_000_000, "3000.0 TB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    """Three digits or so, decimal units."""
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0, "0 s"), (99, "99 s"), (100, "2 min"), (5999, "100 min"), (7200, "2 h"), (400_000, "5 days")],
)
def test_durations(seconds: float, text: str) -> None:
    """One unit, whole numbers; a clock that runs backwards shows nothing odd."""
    assert ago(seconds) == text


def test_the_clock_shows_the_date_unless_it_is_today() -> None:
    """14:02 today, with its date another day."""
    now = time.mktime((2026, 3, 4, 15, 0, 0, 0, 0, -1))
    assert clock(now - 60, now) == "14:59"
    assert clock(now - 86_400, now) == "2026-03-03 15:00"


def test_control_characters_are_shown() -> None:
    """Nothing from outside reaches the terminal as a command."""
    assert clean("a\x1b[2Jb\x00\x9bc\td\ne") == "a\\x1b[2Jb\\x00\\x9bc\td\ne"


def test_lines_go_where_they_belong(capsys: pytest.CaptureFixture[str]) -> None:
    """Results on stdout, the rest on stderr, both cleaned."""
    say("a\r", "b")
    warn("c\x07")
    assert capsys.readouterr() == ("a\\x0d\nb\n", "c\\x07\n")


def test_json_is_one_line_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """Plain ASCII, whatever the locale."""
    put_json({"a": ["ü", None]})
    assert capsys.readouterr().out == '{"a": ["\\u00fc", null]}\n'


def test_tables_are_aligned() -> None:
    """Columns two spaces apart, no blanks at the end; nothing for nothing."""
    assert table([("a", "bbb", "c"), ("aa", "b", "")]) == ["a   bbb  c", "aa  b"]
    assert table([]) == []


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("Zürich", 6), ("東京", 4), ("Zu\u0308rich", 6), ("a\u200bb", 2), ("", 0)]
)
def test_width_is_what_a_terminal_shows(text: str, columns: int) -> None:
    """Wide characters take two columns, combining and invisible ones none."""
    assert width(text) == columns


def test_tables_are_aligned_by_what_is_seen() -> None:
    """Also with wide names, names that would command the terminal, and names of several lines."""
    rows = table([("東京", "x"), ("ab", "y"), ("e\x1b", "z"), ("a\nb", "w")])
    assert rows == ["東京   x", "ab     y", "e\\x1b  z", "a b    w"]


@given(st.text(), st.integers(min_value=0, max_value=12))
def test_cutting_never_exceeds(text: str, columns: int) -> None:
    """What fits stays; else it ends in an ellipsis within the columns."""
    shown = cut(text, columns)
    assert width(shown) <= columns
    assert shown == text or shown.endswith("…") or columns == 0


def test_colours_are_ours_alone() -> None:
    """Spans become escapes where colours are wanted; what came from outside never does."""
    line = (("bad\x1b[2J", "bad"), (" rest", ""))
    assert dressed(line, coloured=True) == "\x1b[31mbad\\x1b[2J\x1b[0m rest"
    assert dressed(line, coloured=False) == "bad\\x1b[2J rest"
    assert set(COLOURS) == {"good", "attention", "bad", "faint"}


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
        ({"WT_SESSION": "x"}, True),
    ],
)
def test_who_gets_colours(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: bool) -> None:
    """Terminals that can, unless NO_COLOR says anything; a pipe never."""
    for name in ("TERM", "NO_COLOR", "WT_SESSION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colours(Terminal()) is expected
    assert not colours(io.StringIO())


def test_moments_are_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Date, or date and time; what no calendar reaches shows something all the same."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert (day(0), stamp(3661)) == ("1970-01-01", "1970-01-01 01:01:01")
    for far in (1e300, -1e300, 9e15):
        assert stamp(far)
        assert clock(far, 0)


def test_json_lines_go_out_together(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, whatever looks on."""
    put_json_lines({"a": 1}, {"b": "ü"})
    assert capsys.readouterr().out == '{"a":1}\n{"b":"\\u00fc"}\n'
