"""How an event changes the snapshot, for documents as `slopn_wire.fold` does it for structs. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from slopn_app.cli.documents import EventDoc, SnapshotDoc


def folded(view: SnapshotDoc, event: EventDoc) -> SnapshotDoc:
    """The snapshot after `event`. A body's fields are the snapshot's of the same names; counters are one field."""
    body: Any = event["body"]
    changes = {"stats": body} if body["type"] == "stats" else {key: body[key] for key in body if key != "type"}
    changed: Any = {**view, **changes, "seq": event["seq"]}
    after: SnapshotDoc = changed
    return after
