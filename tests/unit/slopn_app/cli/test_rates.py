from __future__ import annotations

from typing import cast

import pytest

from slopn_app.cli.rates import Rates, Scale
from slopn_app.cli.snapshot_documents import StatsDoc


def counters(received: int, sent: int) -> StatsDoc:
    """As the helper tells them."""
    return cast("StatsDoc", {"type": "stats", "rx_bytes": received, "tx_bytes": sent})


def test_two_readings_make_a_speed() -> None:
    """The first one alone says nothing; a reading too soon after another is left out."""
    rates = Rates()
    rates.add(counters(1000, 0), 10.0)
    assert rates.text(10.0) == "↓   0.0 KB/s  ↑   0.0 KB/s"
    rates.add(counters(5_001_000, 4000), 12.0)
    assert rates.text(12.0) == "↓   2.5 MB/s  ↑   2.0 KB/s"
    rates.add(counters(9_000_000, 4000), 12.01)
    assert rates.text(12.1) == "↓   2.5 MB/s  ↑   2.0 KB/s"


def test_what_is_over_is_over() -> None:
    """Without news the speed falls to nothing; counters that begin anew are no negative speed."""
    rates = Rates()
    rates.add(counters(0, 0), 1.0)
    rates.add(counters(1_000_000, 0), 2.0)
    assert "↓   0.0" in rates.text(9.0)
    rates.add(counters(10, 0), 9.5)
    assert rates.text(9.5).startswith("↓   0.0")


@pytest.mark.parametrize(
    ("speeds", "texts"),
    [
        ((900_000, 1_100_000, 950_000, 110_000, 90_000), ("900.0 KB", "1.1 MB", "0.9 MB", "0.1 MB", "90.0 KB")),
        ((5e9, 0.0), ("5.0 GB", "0.0 KB")),
        ((7e13,), ("70000.0 GB",)),
    ],
)
def test_units_change_rarely(speeds: tuple[float, ...], texts: tuple[str, ...]) -> None:
    """Up when a number no longer fits, down only when nothing would be left of it."""
    scale = Scale()
    assert [scale.text(speed).strip() for speed in speeds] == [f"{text}/s" for text in texts]
