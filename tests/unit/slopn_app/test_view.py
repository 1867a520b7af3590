from __future__ import annotations

import pytest

from slopn_app.view import Gap, apply
from slopn_wire.events import Event, Snapshot, Stats


def test_the_next_event_is_folded() -> None:
    """Its body is in the new view, and its number is the view's."""
    assert apply(Snapshot(seq=5), Event(6, Stats(1, 2))) == Snapshot(seq=6, stats=Stats(1, 2))


@pytest.mark.parametrize("seq", [0, 4, 5, 7, 100])
def test_a_missing_or_repeated_event_is_a_gap(seq: int) -> None:
    """Only the very next number fits."""
    with pytest.raises(Gap, match=f"event {seq} after 5"):
        apply(Snapshot(seq=5), Event(seq, Stats()))
