from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from slopn_app.feed import Problem, ProblemKind
from slopn_app.tray.sentences import address, counts, headline
from slopn_wire.events import PolicyKind, Severity, Snapshot, Warning  # noqa: A004 - the health list\'s word
from slopn_wire.profile import Endpoint
from slopn_wire.state import AfterDisconnect, Connecting, Disconnecting, ErrorCause, ErrorState, Step, TargetState
from support.desktop_views import views
from support.samples import CONNECTED, DISCONNECTED

PROBLEMS = st.builds(Problem, st.sampled_from(ProblemKind), st.tuples(st.text(min_size=1)))
NOW = 1_700_000_200.0
SINCE = time.strftime("%H:%M", time.localtime(CONNECTED.since))
PAUSED = replace(DISCONNECTED, target=TargetState.PAUSED, paused_until=NOW + 299)
WAITING = replace(
    CONNECTED,
    state=Connecting("berlin", 2, Step.WAITING, cause=ErrorCause.HANDSHAKE),
    policy=PolicyKind.BLOCKED,
    next_try=NOW + 7.5,
)


@pytest.mark.parametrize(
    ("view", "title", "line"),
    [
        (None, "One moment…", "SloPN's service is being asked."),
        (DISCONNECTED, "Not protected", "Your traffic goes out directly."),
        (
            replace(DISCONNECTED, policy=PolicyKind.BLOCKED),
            "Blocked",
            "Nothing leaves this computer until you connect.",
        ),
        (PAUSED, "Paused for 4:59", "Your traffic goes out directly."),
        (replace(PAUSED, policy=PolicyKind.BLOCKED), "Paused for 4:59", "Nothing leaves this computer."),
        (CONNECTED, "Protected through berlin", f"203.0.113.5:51820 · since {SINCE}"),
        (
            replace(CONNECTED, health=(Warning("x", Severity.WARNING, "x"),)),
            "Protected, with a problem",
            f"berlin · 203.0.113.5:51820 · since {SINCE}",
        ),
        (
            replace(CONNECTED, policy=PolicyKind.OPEN),
            "Connected through berlin",
            f"203.0.113.5:51820 · since {SINCE} · Your traffic goes out directly.",
        ),
        (
            replace(CONNECTED, state=Connecting("berlin", step=Step.HANDSHAKE), policy=PolicyKind.BLOCKED),
            "Connecting to berlin…",
            "Waiting for the gateway's answer · nothing leaves meanwhile",
        ),
        (WAITING, "Reconnecting to berlin…", "The gateway doesn't answer · next try in 8 s · nothing leaves meanwhile"),
        (
            replace(CONNECTED, state=Disconnecting("berlin", AfterDisconnect.PAUSE), policy=PolicyKind.UNKNOWN),
            "Pausing…",
            "Your traffic may be going out directly",
        ),
        (
            replace(CONNECTED, state=ErrorState(ErrorCause.OFFLINE, "berlin"), policy=PolicyKind.BLOCKED),
            "Blocked: no network",
            "Nothing leaves this computer.",
        ),
        (
            replace(CONNECTED, state=ErrorState(ErrorCause.FIREWALL, "berlin"), policy=PolicyKind.OPEN),
            "Not protected: the firewall can't be set",
            "Your traffic goes out directly.",
        ),
        (
            Problem(ProblemKind.UNREACHABLE, ("no such file",)),
            "SloPN's service isn't running",
            "Rules that were in force stay in force.",
        ),
        (Problem(ProblemKind.FAILED, ("It broke.",)), "SloPN's service gives no answer", "It broke."),
    ],
)
def test_each_state_in_words(view: Snapshot | Problem | None, title: str, line: str) -> None:
    """Headline and line."""
    assert headline(view, NOW) == (title, line)


@given(views() | PROBLEMS, st.floats(0, 4e9))
def test_nothing_is_claimed_that_isnt_so(view: Snapshot | Problem, now: float) -> None:
    """Protected only with the policy tunnelled, blocked with blocked; whatever the helper says, there are words."""
    title, _ = headline(view, now)
    assert title
    policy = view.policy if isinstance(view, Snapshot) else None
    assert not title.startswith("Protected") or policy is PolicyKind.TUNNELLED
    assert not title.startswith("Blocked") or policy is PolicyKind.BLOCKED
    assert not title.startswith("Not protected") or policy is PolicyKind.OPEN


@given(views(), st.floats(1e9, 2e9))
def test_what_has_seconds_in_it_is_known(view: Snapshot, now: float) -> None:
    """What says something else half a minute later says so of itself."""
    assert counts(view) or headline(view, now) == headline(view, now + 30)


def test_addresses_are_written_as_people_do() -> None:
    """IPv6 in brackets, names as they are."""
    assert address(Endpoint("2001:db8::1", 443)) == "[2001:db8::1]:443"
    assert address(Endpoint("203.0.113.5", 51820)) == "203.0.113.5:51820"
    assert address(Endpoint("vpn.example.org", 1)) == "vpn.example.org:1"
    moved = replace(CONNECTED, stats=replace(CONNECTED.stats, endpoint=Endpoint("2001:db8::1", 443)))
    assert headline(moved, NOW)[1].startswith("[2001:db8::1]:443 · ")
