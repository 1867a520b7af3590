from __future__ import annotations

import json
import typing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slopn_app.cli.fold import folded
from slopn_wire import fold
from slopn_wire.codec import encode
from slopn_wire.events import Event, EventBody, Snapshot
from support.wire import values


def doc(value: Any) -> Any:
    """As the command line gets it."""
    return json.loads(encode(value))


@settings(max_examples=20)
@given(st.data())
@pytest.mark.parametrize("kind", typing.get_args(EventBody))
def test_documents_fold_as_structs_do(kind: type, data: st.DataObject) -> None:
    """Any event, on any snapshot."""
    snapshot = data.draw(values(Snapshot))
    event = Event(snapshot.seq + 1, data.draw(values(kind)))
    before = doc(snapshot)
    assert folded(before, doc(event)) == doc(fold.fold(snapshot, event))
    assert before == doc(snapshot)
