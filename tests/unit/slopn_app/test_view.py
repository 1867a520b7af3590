from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from slopn_app.view import Gap, apply
from slopn_wire.events import Event, EventBody, Snapshot, StateChanged, Stats
from support.wire import structs, values

FIELD = {
    "SettingsChanged": "settings",
    "ProfilesChanged": "profiles",
    "HealthChanged": "health",
    "NetworkInfo": "network",
}


@settings(max_examples=20)
@given(values(Snapshot), st.data())
@pytest.mark.parametrize("kind", structs(EventBody), ids=lambda kind: kind.__name__)
def test_an_event_changes_what_it_carries_and_nothing_else(
    kind: type[EventBody], view: Snapshot, data: st.DataObject
) -> None:
    """For every body: its fields are in the new view, all others are as before, and the number is the event's."""
    body = data.draw(values(kind))
    after = apply(view, Event(view.seq + 1, body))
    if isinstance(body, StateChanged):
        carried = asdict(body)
    elif isinstance(body, Stats):
        carried = {"stats": body}
    else:
        name = FIELD[kind.__name__]
        carried = {name: getattr(body, name)}
    assert asdict(after) == asdict(view) | carried | {"seq": view.seq + 1}


@pytest.mark.parametrize("seq", [0, 4, 5, 7, 100])
def test_a_missing_or_repeated_event_is_a_gap(seq: int) -> None:
    """Only the very next number fits."""
    with pytest.raises(Gap, match=f"event {seq} after 5"):
        apply(Snapshot(seq=5), Event(seq, Stats()))
