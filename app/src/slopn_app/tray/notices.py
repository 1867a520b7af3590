"""What a person is told without having looked: one notification for one cause, none for what they have just asked for. Pure.

`notice` compares two states; `Announcer` remembers what was told and waits a moment before it says that something is wrong,
because most of it is over by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from slopn_app.feed import Problem, ProblemKind
from slopn_app.locale import t, warned
from slopn_app.tray.menu import Act, Ask, Show
from slopn_app.tray.sentences import headline
from slopn_app.words import meaning, sentences, short, stopped
from slopn_wire.commands import Disconnect, Pause
from slopn_wire.events import PolicyKind, Snapshot
from slopn_wire.state import Connected, Connecting, Disconnecting, ErrorState, TargetState

PORTALS = frozenset({"captive_portal", "captive_portal_always"})
"""Codes of the health list: the network wants a sign-in first."""
PATIENCE = 2.0
"""Seconds that something must be wrong before it is told."""
HELPER_PATIENCE = 10.0
"""The same for the helper itself: an upgrade restarts it."""


class Kind(StrEnum):
    """What a user can switch off, each by itself: the fields of `Notifications` in `preferences`."""

    CONNECTED = "connected"
    LOST = "lost"
    BACK = "back"
    BLOCKED = "blocked"
    PORTAL = "portal"
    REFUSED = "refused"
    """What the user asked for wasn't done. Can't be switched off."""


@dataclass(frozen=True)
class Notice:
    """One notification."""

    kind: Kind
    title: str
    text: str
    buttons: tuple[tuple[str, Act], ...] = ()
    urgent: bool = False
    """Traffic goes out that shouldn't, or none does."""


def notice(before: Snapshot, after: Snapshot, *, told: Kind | None = None, asked: bool = False) -> Notice | None:
    """What `after` is worth telling after `before`.

    `told`: the last thing that was, while it lasts. `asked`: the user has just asked for something at this tray.
    """
    if _portal(after) and not _portal(before):
        return _sign_in(after)
    wrong = _wrong(before, after, asked=asked)
    if wrong is not None:
        return None if told is wrong.kind and not wrong.urgent else wrong
    if isinstance(after.state, Connected) and not isinstance(before.state, Connected):
        if told in {Kind.LOST, Kind.BLOCKED, Kind.PORTAL}:
            return Notice(Kind.BACK, *headline(after, after.since))
        return None if asked else Notice(Kind.CONNECTED, *headline(after, after.since))
    return None


class Announcer:
    """Told of each view, it says what to tell and when. Times are the caller's monotonic seconds."""

    def __init__(self) -> None:
        self._before: Snapshot | None = None
        self._settled: Snapshot | None = None  # what the user knows to be so
        self._told: Kind | None = None
        self._asked = False
        self._gone: Problem | None = None
        self._due: float | None = None

    @property
    def due(self) -> float | None:
        """When to call `late`; None: there is nothing to wait for."""
        return self._due

    def asked(self) -> None:
        """The user has asked for something at this tray."""
        self._asked = True
        self._told = None
        self._due = None

    def seen(self, view: Snapshot | Problem, now: float) -> Notice | None:
        """What is to be told at once."""
        if isinstance(view, Problem):
            self._lost_helper(view, now)
            return None
        if self._gone is not None:
            self._gone, self._due = None, None
        before, self._before = self._settled, view
        if before is None:
            self._settled = view
            return None
        found = notice(before, view, told=self._told, asked=self._asked)
        if found is not None and found.kind in {Kind.LOST, Kind.BLOCKED}:
            self._due = now + PATIENCE if self._due is None else self._due
            return None
        self._due = None
        self._settle(view)
        return self._tell(found)

    def refused(self) -> None:
        """What the user has asked for won't be done."""
        self._asked = False

    def late(self, now: float) -> Notice | None:
        """What is to be told now that `due` has passed."""
        if self._due is None or now < self._due:
            return None
        self._due = None
        if self._gone is not None:
            problem, self._gone = self._gone, None
            if self._settled is None or self._settled.target is TargetState.UNSECURED:
                return None
            return self._tell(Notice(Kind.LOST, *headline(problem, 0.0), buttons=((t("Open SloPN"), Show("status")),)))
        if self._before is None or self._settled is None:
            return None
        found = notice(self._settled, self._before, told=self._told, asked=self._asked)
        self._settle(self._before)
        return self._tell(found)

    def _lost_helper(self, problem: Problem, now: float) -> None:
        if self._gone is None and problem.kind is ProblemKind.UNREACHABLE and self._told is None:
            self._gone, self._due = problem, now + HELPER_PATIENCE

    def _settle(self, view: Snapshot) -> None:
        before, self._settled = self._settled, view
        moved = before is None or before.state != view.state
        if moved and not isinstance(view.state, Connecting | Disconnecting):
            self._asked = False
        if view.target is TargetState.UNSECURED:
            self._told = None

    def _tell(self, found: Notice | None) -> Notice | None:
        if found is not None:
            self._asked = False
            self._told = None if found.kind in {Kind.BACK, Kind.CONNECTED} else found.kind
        elif self._settled is not None and isinstance(self._settled.state, Connected):
            self._told = None
        return found


def _wrong(before: Snapshot, after: Snapshot, *, asked: bool) -> Notice | None:
    state = after.state
    buttons = ((t("Disconnect"), Ask(Disconnect())), (t("Open SloPN"), Show("status")))
    if isinstance(state, ErrorState):
        if isinstance(before.state, ErrorState) and before.policy is after.policy:
            return None
        blocked = after.policy is PolicyKind.BLOCKED
        title = stopped(state.cause, after.policy)
        text = f"{meaning(after.policy)} {sentences(state.cause, after.policy)[2]}"
        return Notice(Kind.BLOCKED if blocked else Kind.LOST, title, text, buttons, urgent=not blocked)
    if after.target is not TargetState.SECURED:
        return None
    if isinstance(before.state, Connected) and not asked and _failed(after):
        cause = getattr(state, "cause", None)
        why = short(cause) + ". " if cause is not None else ""
        return Notice(Kind.LOST, t("The connection is lost"), f"{why}{_traffic(after)}", buttons)
    if asked and _failed(after) and not isinstance(before.state, ErrorState):
        return Notice(Kind.LOST, *headline(after, after.since), buttons)
    return None


def _failed(view: Snapshot) -> bool:
    """Whether a tunnel that is wanted isn't there because something went wrong; not while one is exchanged for another."""
    match view.state:
        case Connecting(attempt=attempt, cause=cause):
            return attempt > 0 or cause is not None
        case Disconnecting(cause=cause, retries=retries):
            return retries > 0 or cause is not None
        case _:
            return False


def _traffic(view: Snapshot) -> str:
    """Within a moment of it nothing is certain but the policy."""
    if view.policy is PolicyKind.TUNNELLED:
        return t("Nothing leaves this computer.")
    return meaning(view.policy)


def _portal(view: Snapshot) -> bool:
    return any(found.code in PORTALS for found in view.health)


def _sign_in(view: Snapshot) -> Notice:
    found = next(found for found in view.health if found.code in PORTALS)
    pause = ((t("Pause for 5 minutes"), Ask(Pause(300))),) if found.code == "captive_portal" else ()
    text = " ".join(warned(found.code, found.text, found.remedy, found.args)).strip()
    return Notice(
        Kind.PORTAL, t("The network wants a sign-in first"), text, (*pause, (t("Open SloPN"), Show("health")))
    )
