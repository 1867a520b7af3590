"""The state in the person's language: a headline and a line. The same words as the window's, in the room of a menu. Pure.

"Protected", "not protected" and "blocked" mean exactly the policies tunnelled, open and blocked.
"""

from __future__ import annotations

import math
import time
from ipaddress import IPv6Address, ip_address

from slopn_app.feed import Problem, ProblemKind
from slopn_app.locale import t
from slopn_app.tray.looks import problem
from slopn_app.words import STEPS, capital, countdown, disconnected, disconnecting, meaning, meanwhile, short, stopped
from slopn_wire.events import PolicyKind, Snapshot
from slopn_wire.profile import Endpoint
from slopn_wire.state import Connected, Connecting, Disconnecting, ErrorState, Step, TargetState

Headline = tuple[str, str]
"""What is so, and one line about it; that one may be empty."""


def headline(view: Snapshot | Problem | None, now: float) -> Headline:
    """`view`: what is known of the helper. `now`: Unix time."""
    if view is None:
        return t("One moment…"), t("SloPN's service is being asked.")
    if isinstance(view, Problem):
        return _problem(view)
    match view.state:
        case Connecting():
            return _connecting(view, view.state, now)
        case Connected(profile=profile):
            return _connected(view, profile)
        case Disconnecting(then=then):
            return disconnecting(view.policy, then=then)
        case ErrorState(cause=cause):
            return stopped(cause, view.policy), meaning(view.policy)
    if view.target is TargetState.PAUSED and view.paused_until is not None:
        return t("Paused for {time}", time=countdown(view.paused_until - now)), meaning(view.policy)
    return disconnected(view.policy)


def counts(view: Snapshot | Problem | None) -> bool:
    """Whether the headline has seconds in it."""
    return isinstance(view, Snapshot) and (
        (view.target is TargetState.PAUSED and view.paused_until is not None)
        or (isinstance(view.state, Connecting) and view.state.step is Step.WAITING and view.next_try is not None)
    )


def address(endpoint: Endpoint) -> str:
    """As people write it: 203.0.113.5:51820, [2001:db8::1]:443."""
    try:
        six = isinstance(ip_address(endpoint.host), IPv6Address)
    except ValueError:
        six = False
    return f"[{endpoint.host}]:{endpoint.port}" if six else f"{endpoint.host}:{endpoint.port}"


def _connecting(view: Snapshot, state: Connecting, now: float) -> Headline:
    if state.step is Step.WAITING and view.next_try is not None:
        doing = t("next try in {seconds} s", seconds=max(math.ceil(view.next_try - now), 0))
    else:
        doing = t(STEPS[state.step])
    if state.attempt and state.cause is not None:
        line = f"{short(state.cause)} · {doing} · {meanwhile(view.policy)}"
        return t("Reconnecting to {profile}…", profile=state.profile), line
    return t("Connecting to {profile}…", profile=state.profile), f"{capital(doing)} · {meanwhile(view.policy)}"


def _connected(view: Snapshot, profile: str) -> Headline:
    first = view.state.endpoints[:1] if isinstance(view.state, Connected) else ()
    where = [address(view.stats.endpoint)] if view.stats.endpoint else [address(each) for each in first]
    line = " · ".join([*where, *_since(view.since)])
    if view.policy is not PolicyKind.TUNNELLED:
        return t("Connected through {profile}", profile=profile), f"{line} · {meaning(view.policy)}"
    if problem(view) is not None:
        return t("Protected, with a problem"), f"{profile} · {line}"
    return t("Protected through {profile}", profile=profile), line


def _since(at: float) -> list[str]:
    try:
        return [t("since {time}", time=time.strftime("%H:%M", time.localtime(at)))]
    except (OSError, OverflowError, ValueError):
        return []  # no time of day


def _problem(view: Problem) -> Headline:
    match view.kind:
        case ProblemKind.UNREACHABLE:
            return t("SloPN's service isn't running"), t("Rules that were in force stay in force.")
        case ProblemKind.NUMBER_NEEDED | ProblemKind.NOT_PAIRED:
            return t("SloPN's service doesn't know the tray yet"), t("What is protected can't be shown here.")
        case ProblemKind.NOT_PERMITTED:
            return t("You may not use SloPN on this computer"), t("What is protected can't be shown here.")
        case ProblemKind.KEYRING_LOCKED:
            return t("Your keyring is locked"), t("What is protected can't be shown here.")
        case _:
            return t("SloPN's service gives no answer"), view.lines[0]
