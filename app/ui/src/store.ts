// The snapshot kept up to date by events, checked to miss none. Pure; the same rules as slopn_app/view.py, and tested with
// the same recordings (tests/data/events).

import type { Event, Snapshot } from "./wire.ts";

/** An event is missing before this one: ask for a new snapshot. */
export class Gap extends Error {}

/** The view after `event`. Throws `Gap` unless its number follows the view's. */
export function apply(view: Snapshot, event: Event): Snapshot {
  if (event.seq !== view.seq + 1) throw new Gap(`event ${event.seq} after ${view.seq}`);
  return fold(view, event);
}

/** A body's fields are the snapshot's of the same names; counters are one field. */
function fold(view: Snapshot, event: Event): Snapshot {
  const { seq, body } = event;
  if (body.type === "stats") return { ...view, seq, stats: body };
  const { type: _, ...fields } = body;
  return { ...view, seq, ...fields };
}
