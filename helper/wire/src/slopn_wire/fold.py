"""How an event changes the snapshot: the helper makes its own snapshots by it, and every front end its view."""

from __future__ import annotations

from msgspec.structs import asdict, replace

from slopn_wire.events import Event, Snapshot, Stats


def fold(snapshot: Snapshot, event: Event) -> Snapshot:
    """The snapshot after `event`. A body's fields are the snapshot's of the same names; counters are one field."""
    body = event.body
    if isinstance(body, Stats):
        return replace(snapshot, seq=event.seq, stats=body)
    return replace(snapshot, seq=event.seq, **asdict(body))
