from __future__ import annotations

import pytest

from slopn_helper.gateway.cli import UsageError, lengths


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("90s", 90), ("15m", 900), ("12h", 43200), ("7d", 604800), (" 4W ", 2419200), ("3650d", 315360000)],
)
def test_lengths_that_people_write(text: str, wanted: float) -> None:
    """In seconds."""
    assert lengths.seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "0d", "1.5d", "3651d", "1y", "٣d", "99999999999s", "never"])
def test_what_is_no_length(text: str) -> None:
    """Says what is."""
    with pytest.raises(UsageError, match="15m, 12h, 7d"):
        lengths.seconds(text)


def test_never_is_one_where_it_may_be() -> None:
    """None, as the registry has it."""
    assert lengths.seconds_or_never("never") is None
    assert lengths.seconds_or_never("7d") == 604800
