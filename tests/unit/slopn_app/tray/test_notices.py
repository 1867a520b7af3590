from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from slopn_app.feed import Problem, ProblemKind
from slopn_app.tray.notices import HELPER_PATIENCE, PATIENCE, Announcer, Kind, Notice, notice
from slopn_wire.events import PolicyKind, Severity, Snapshot, Warning  # noqa: A004 - the health list's word
from slopn_wire.state import AfterDisconnect, Connecting, Disconnecting, ErrorCause, ErrorState, TargetState
from support.desktop_views import views
from support.samples import CONNECTED, DISCONNECTED

BLOCKED = PolicyKind.BLOCKED
TRYING = replace(CONNECTED, state=Connecting("berlin"), policy=BLOCKED)
LOST = replace(CONNECTED, state=Connecting("berlin", 1, cause=ErrorCause.STALE), policy=BLOCKED)
STUCK = replace(CONNECTED, state=ErrorState(ErrorCause.OFFLINE, "berlin"), policy=BLOCKED)
EXPOSED = replace(STUCK, policy=PolicyKind.OPEN)
PORTAL = replace(LOST, health=(Warning("captive_portal", Severity.WARNING, "Sign in.", "Pause."),))
GONE = Problem(ProblemKind.UNREACHABLE, ("x",))


def _kinds(*steps: Snapshot | Problem | float | str) -> list[Kind]:
    """What is told of these views; a number lets so many seconds pass, `asked` has the user ask."""
    announcer, now, told = Announcer(), 0.0, list[Notice | None]()
    for step in steps:
        if isinstance(step, str):
            announcer.asked()
        elif isinstance(step, float):
            end = now + step
            while announcer.due is not None and announcer.due <= end:
                now = announcer.due
                told.append(announcer.late(now))
            now = end
        else:
            told.append(announcer.seen(step, now))
    return [each.kind for each in told if each is not None]


def test_a_tunnel_that_comes_up_is_told() -> None:
    """When somebody else, or the login, has asked for it; not of what is so from the start."""
    assert _kinds(DISCONNECTED, TRYING, CONNECTED) == [Kind.CONNECTED]
    assert _kinds(CONNECTED) == []


def test_what_the_user_asked_for_is_not_told() -> None:
    """They are looking at it; a failure of it is, once."""
    assert _kinds(DISCONNECTED, "asked", DISCONNECTED, TRYING, CONNECTED) == []
    assert _kinds(DISCONNECTED, "asked", TRYING, LOST, 5.0, LOST, 60.0, LOST, 60.0) == [Kind.LOST]
    assert _kinds(CONNECTED, "asked", DISCONNECTED, 60.0) == []
    assert _kinds(DISCONNECTED, "asked", TRYING, CONNECTED, LOST, 5.0) == [Kind.LOST]


def test_a_loss_and_its_end_are_one_each() -> None:
    """However many tries lie between them."""
    tries = (replace(LOST, state=Connecting("berlin", number, cause=ErrorCause.HANDSHAKE)) for number in range(2, 6))
    assert _kinds(CONNECTED, LOST, 3.0, *tries, 60.0, CONNECTED) == [Kind.LOST, Kind.BACK]


def test_a_loss_that_is_over_at_once_is_not_told() -> None:
    """Most are."""
    assert _kinds(CONNECTED, LOST, PATIENCE / 2, CONNECTED, 60.0) == []


def test_an_error_says_what_it_means() -> None:
    """Blocked or exposed; the same one again isn't told, the other is."""
    assert _kinds(CONNECTED, STUCK, 3.0, STUCK, 60.0, CONNECTED) == [Kind.BLOCKED, Kind.BACK]
    assert _kinds(CONNECTED, STUCK, 3.0, EXPOSED, 3.0) == [Kind.BLOCKED, Kind.LOST]
    blocked, exposed = notice(CONNECTED, STUCK), notice(CONNECTED, EXPOSED)
    assert blocked is not None
    assert (blocked.title, blocked.urgent) == ("Blocked: no network", False)
    assert blocked.text == "Nothing leaves this computer. Join a network; SloPN then goes on by itself."
    assert exposed is not None
    assert (exposed.title, exposed.urgent) == ("Not protected: no network", True)


def test_another_profile_is_no_loss() -> None:
    """The tunnel goes down and comes up on purpose."""
    other = replace(CONNECTED, state=replace(CONNECTED.state, profile="paris"), target_profile="paris")
    down = replace(CONNECTED, state=Disconnecting("paris", AfterDisconnect.RECONNECT))
    assert _kinds(CONNECTED, down, 3.0, replace(TRYING, target_profile="paris"), 9.0, other) == [Kind.CONNECTED]


def test_an_end_that_is_wanted_is_no_loss() -> None:
    """Disconnected or paused, by whomever."""
    pause = replace(CONNECTED, state=Disconnecting("berlin", AfterDisconnect.PAUSE), target=TargetState.PAUSED)
    assert _kinds(CONNECTED, DISCONNECTED, 9.0) == []
    assert _kinds(CONNECTED, pause, 3.0, replace(DISCONNECTED, target=TargetState.PAUSED), 9.0) == []


def test_a_captive_portal_is_told_once() -> None:
    """At once, with a way to sign in, and not again as a loss."""
    assert _kinds(CONNECTED, PORTAL, 3.0, PORTAL, 60.0, CONNECTED) == [Kind.PORTAL, Kind.BACK]
    told = notice(LOST, PORTAL)
    assert told is not None
    assert [label for label, _ in told.buttons] == ["Pause for 5 minutes", "Open SloPN"]


def test_a_helper_that_stays_away_is_told() -> None:
    """If a tunnel was wanted; a restart isn't worth a word."""
    assert _kinds(CONNECTED, GONE, GONE, HELPER_PATIENCE / 2, CONNECTED, 60.0) == []
    assert _kinds(CONNECTED, GONE, HELPER_PATIENCE + 1, GONE, 60.0, CONNECTED) == [Kind.LOST]
    assert _kinds(DISCONNECTED, GONE, 60.0) == []
    assert _kinds(GONE, 60.0) == []


@given(st.lists(views() | st.sampled_from([1.0, 5.0, 20.0, "asked"]), max_size=12))
def test_nothing_is_back_that_was_not_lost(steps: list[Snapshot | float | str]) -> None:
    """And no end of a loss is told twice."""
    kinds = _kinds(DISCONNECTED, *steps)
    losses = {Kind.LOST, Kind.BLOCKED, Kind.PORTAL}
    assert all(before in losses for before, after in pairwise(kinds) if after is Kind.BACK)
    assert kinds[:1] != [Kind.BACK]


@given(views(), views())
def test_nobody_is_told_that_they_are_protected_who_are_not(before: Snapshot, after: Snapshot) -> None:
    """Whatever came before."""
    found = notice(before, after)
    assert found is None or not found.title.startswith("Protected") or after.policy is PolicyKind.TUNNELLED
