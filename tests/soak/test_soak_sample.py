"""A short sample of what `make soak` does for half an hour."""

from __future__ import annotations

import pytest

from soak.run import Soak


@pytest.mark.long
def test_a_short_soak_finds_nothing() -> None:
    """Twenty seconds at full rate with renewals, moves and loss: no session lost. Memory has no time to show a leak."""
    soak = Soak(20, growth=64 << 10)
    assert soak.run() == [], soak.summary()
    assert soak.moves >= 2


def test_what_is_wrong_is_said() -> None:
    """A pause, growth and missing sessions are each complained about."""
    soak = Soak(100, longest=20, renewals=10, memory=[*range(1000, 100_000, 1000)])
    assert [word for word in ("nothing", "memory", "only") if any(word in said for said in soak._complaints())] == [
        "nothing",
        "memory",
        "only",
    ]
    assert Soak(100, renewals=60, memory=[5000] * 100)._complaints() == []
