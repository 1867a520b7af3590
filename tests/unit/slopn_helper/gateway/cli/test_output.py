from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.gateway.cli import output


@given(st.text())
def test_nothing_that_a_terminal_obeys_comes_through(text: str) -> None:
    """No control character, no change of the writing direction, no line of its own."""
    assert output.clean(text).isprintable()


def test_columns_stand_below_each_other() -> None:
    """Also below wide letters."""
    found = output.table(("A", "B"), [("語", "x"), ("ab", "y\n"), ("", "z")])
    assert found == ["A   B", "語  x", "ab  y\\n", "    z"]


@pytest.mark.parametrize(
    ("count", "wanted"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (12_400_000, "12.4 MB"), (1e18, "1000000.0 TB")]
)
def test_sizes(count: float, wanted: str) -> None:
    """In thousands."""
    assert output.size(count) == wanted


@pytest.mark.parametrize(("seconds", "wanted"), [(42, "42 s"), (200, "3 min"), (7200, "2 h"), (200_000, "2 d")])
def test_lengths_of_time(seconds: float, wanted: str) -> None:
    """In the largest unit."""
    assert output.span(seconds) == wanted
    assert output.ago(1000.0, 1000.0 + seconds) == f"{wanted} ago"
    assert output.ago(None, 5.0) == "never"
