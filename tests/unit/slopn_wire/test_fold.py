from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from slopn_wire.events import Event, EventBody, Snapshot, StateChanged, Stats
from slopn_wire.fold import fold
from support.wire import structs, values

FIELD = {
    "SettingsChanged": "settings",
    "ProfilesChanged": "profiles",
    "HealthChanged": "health",
    "NetworkInfo": "network",
    "DevicesChanged": "devices",
    "PairingsChanged": "pairings",
}


@settings(max_examples=20)
@given(values(Snapshot), st.data())
@pytest.mark.parametrize("kind", structs(EventBody), ids=lambda kind: kind.__name__)
def test_an_event_changes_what_it_carries_and_nothing_else(
    kind: type[EventBody], view: Snapshot, data: st.DataObject
) -> None:
    """For every body: its fields are in the new view, all others are as before, and the number is the event's."""
    body = data.draw(values(kind))
    after = fold(view, Event(view.seq + 1, body))
    if isinstance(body, StateChanged):
        carried = asdict(body)
    elif isinstance(body, Stats):
        carried = {"stats": body}
    else:
        name = FIELD[kind.__name__]
        carried = {name: getattr(body, name)}
    assert asdict(after) == asdict(view) | carried | {"seq": view.seq + 1}
