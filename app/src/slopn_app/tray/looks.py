"""Which icon the state has. The names are those of the drawings in assets/icons. Pure."""

from __future__ import annotations

from slopn_app.feed import Problem
from slopn_wire.events import PolicyKind, Severity, Snapshot
from slopn_wire.events import Warning as Found
from slopn_wire.state import Connected, Connecting, Disconnecting, ErrorState, TargetState

FILLING = ("slopn-filling-1", "slopn-filling-2", "slopn-filling-3", "slopn-filling-4")
"""One after the other while something is on its way."""
OPEN, TICK, DOT, BAR = "slopn-open", "slopn-tick", "slopn-dot", "slopn-bar"
BAR_ERROR, BROKEN, CLOCK, QUESTION = "slopn-bar-error", "slopn-broken", "slopn-clock", "slopn-question"


def look(view: Snapshot | Problem | None, frame: int = 0) -> str:
    """The icon's name; None: nothing is known yet. `frame` counts the steps of what moves."""
    if not isinstance(view, Snapshot):
        return QUESTION
    match view.state:
        case Connecting() | Disconnecting():
            return FILLING[frame % len(FILLING)]
        case Connected():
            return TICK if view.policy is PolicyKind.TUNNELLED and problem(view) is None else DOT
        case ErrorState():
            return BAR_ERROR if view.policy is PolicyKind.BLOCKED else BROKEN
    if view.target is TargetState.PAUSED:
        return CLOCK
    return {PolicyKind.OPEN: OPEN, PolicyKind.BLOCKED: BAR}.get(view.policy, QUESTION)


def moves(view: Snapshot | Problem | None) -> bool:
    """Whether the icon is one of `FILLING`."""
    return isinstance(view, Snapshot) and isinstance(view.state, Connecting | Disconnecting)


def problem(view: Snapshot) -> Found | None:
    """The first of the health list that is more than worth knowing."""
    return next((found for found in view.health if found.severity is not Severity.INFO), None)
