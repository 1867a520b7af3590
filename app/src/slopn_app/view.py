"""The snapshot kept up to date by events, checked to miss none. Pure; every front end draws from the result alone."""

from __future__ import annotations

from slopn_wire.events import Event, Snapshot
from slopn_wire.fold import fold


class Gap(Exception):
    """An event is missing before this one: ask for a new snapshot."""


def apply(view: Snapshot, event: Event) -> Snapshot:
    """The view after `event`. Raises `Gap` unless its number follows the view's."""
    if event.seq != view.seq + 1:
        raise Gap(f"event {event.seq} after {view.seq}")
    return fold(view, event)
