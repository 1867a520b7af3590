from __future__ import annotations

import time

import pytest

from slopn_app.cli.failure import Failure
from slopn_app.cli.times import duration, moment

NOW = time.mktime((2026, 3, 4, 15, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - 90),
        ("10m", NOW - 600),
        ("1.5h", NOW - 5400),
        ("2d", NOW - 172_800),
        ("14:02", NOW - 58 * 60),
        ("14:02:30", NOW - 58 * 60 + 30),
        ("2026-03-04T14:00", NOW - 3600),
        ("2026-03-04", NOW - 15 * 3600),
        ("1700000000.5", 1_700_000_000.5),
    ],
)
def test_moments(text: str, at: float) -> None:
    """A span ago, a clock time today, a date, Unix time."""
    assert moment(text, NOW) == at


@pytest.mark.parametrize(
    "text", ["", "yesterday", "10 m", "25:00", "2026-13-01", "10w", "nan", "inf", "1e400", "9" * 400 + "d", "s", "-5m"]
)
def test_moments_that_are_none(text: str) -> None:
    """A failure that says what is allowed."""
    with pytest.raises(Failure, match="it can be 10m"):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("text", "unit", "seconds"),
    [
        ("5", "m", 300),
        ("5", "s", 5),
        ("0.5", "m", 30),
        ("90s", "m", 90),
        ("2h", "m", 7200),
        ("", "m", None),
        ("m", "m", None),
        ("5 m", "m", None),
        ("-5", "m", None),
        ("5mm", "m", None),
        ("nan", "s", None),
        ("9" * 400, "d", None),
    ],
)
def test_durations(text: str, unit: str, seconds: float | None) -> None:
    """With a unit or without; nothing else."""
    assert duration(text, unit) == seconds
