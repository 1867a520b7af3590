from __future__ import annotations

import pytest
from hypothesis import given
from msgspec.structs import replace

from slopn_app import assets
from slopn_app.feed import Problem, ProblemKind
from slopn_app.tray.looks import BAR, BAR_ERROR, BROKEN, CLOCK, DOT, FILLING, OPEN, QUESTION, TICK, look, moves
from slopn_wire.events import PolicyKind, Severity, Snapshot, Warning  # noqa: A004 - the health list\'s word
from slopn_wire.state import AfterDisconnect, Connecting, Disconnecting, ErrorCause, ErrorState, TargetState
from support.desktop_views import views
from support.samples import CONNECTED, DISCONNECTED

NOTE = Warning("clock_wrong", Severity.INFO, "It is late.")
WORSE = Warning("clock_wrong", Severity.WARNING, "It is late.")
ERROR = ErrorState(ErrorCause.OFFLINE, "berlin")


@pytest.mark.parametrize(
    ("view", "icon"),
    [
        (None, QUESTION),
        (Problem(ProblemKind.UNREACHABLE, ("x",)), QUESTION),
        (DISCONNECTED, OPEN),
        (replace(DISCONNECTED, policy=PolicyKind.BLOCKED), BAR),
        (replace(DISCONNECTED, policy=PolicyKind.UNKNOWN), QUESTION),
        (replace(DISCONNECTED, target=TargetState.PAUSED), CLOCK),
        (CONNECTED, TICK),
        (replace(CONNECTED, health=(NOTE,)), TICK),
        (replace(CONNECTED, health=(NOTE, WORSE)), DOT),
        (replace(CONNECTED, policy=PolicyKind.OPEN), DOT),
        (replace(CONNECTED, policy=PolicyKind.UNKNOWN), DOT),
        (replace(CONNECTED, state=Connecting("berlin")), FILLING[0]),
        (replace(CONNECTED, state=Disconnecting("berlin", AfterDisconnect.NOTHING)), FILLING[0]),
        (replace(CONNECTED, state=ERROR, policy=PolicyKind.BLOCKED), BAR_ERROR),
        (replace(CONNECTED, state=ERROR, policy=PolicyKind.OPEN), BROKEN),
        (replace(CONNECTED, state=ERROR, policy=PolicyKind.UNKNOWN), BROKEN),
    ],
)
def test_each_state_has_its_shape(view: Snapshot | Problem | None, icon: str) -> None:
    """As the table of docs has it."""
    assert look(view) == icon


def test_what_is_on_its_way_moves() -> None:
    """Step by step, round and round; nothing else does."""
    view = replace(CONNECTED, state=Connecting("berlin"))
    assert [look(view, frame) for frame in range(5)] == [*FILLING, FILLING[0]]
    assert moves(view)
    assert not moves(CONNECTED)
    assert look(CONNECTED, 3) == TICK


@given(views())
def test_the_tick_is_never_shown_without_protection(view: Snapshot) -> None:
    """Whatever the helper says: the full shield with the tick means that traffic goes through the tunnel."""
    assert look(view) != TICK or (view.policy is PolicyKind.TUNNELLED and view.state.__class__.__name__ == "Connected")


@given(views())
def test_each_icon_is_drawn(view: Snapshot) -> None:
    """At every size."""
    for size in (16, 20, 24, 32):
        assert (assets.folder("icons") / str(size) / f"{look(view)}.svg").is_file()
