from __future__ import annotations

import time

import pytest

from slopn_app.cli.output import ago, clean, clock, put_json, say, size, table, warn


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
