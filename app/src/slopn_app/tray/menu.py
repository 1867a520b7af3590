"""The tray's menu, made of what is known: the state, what can be done about it, one click away. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from slopn_app.desktop.faces import Entry
from slopn_app.feed import Problem, ProblemKind
from slopn_app.locale import n, t, warned
from slopn_app.preferences import Preferences
from slopn_app.tray.sentences import headline
from slopn_wire.commands import ApplySettings, Command, Connect, Disconnect, Pause, Reconnect
from slopn_wire.events import Snapshot
from slopn_wire.events import Warning as Found
from slopn_wire.settings import KillSwitchMode
from slopn_wire.state import Connected, Connecting, Disconnected, Disconnecting, ErrorState, TargetState

TOP = 5
"""So many profiles stand in the menu itself."""
PAUSES = (5, 15, 60)
"""Minutes."""
DOT = " · "
_WIDE = 60
_WIDEST = 90
"""Letters of a line, if it can be taken apart, and at most."""


@dataclass(frozen=True)
class Ask:
    """Have the helper do this."""

    command: Command


@dataclass(frozen=True)
class Show:
    """Bring up the window, at this page of it; empty: where it was."""

    page: str = ""


@dataclass(frozen=True)
class Retry:
    """Ask the helper again: the user has done something about the problem, or wants to be paired."""


@dataclass(frozen=True)
class GiveNumber:
    """Let the user repeat the number that the helper shows."""


@dataclass(frozen=True)
class Leave:
    """End the tray."""

    disconnect: bool = False


Act = Ask | Show | Retry | GiveNumber | Leave
Line = Entry[Act]


def menu(
    view: Snapshot | Problem | None, preferences: Preferences, recent: tuple[str, ...], now: float
) -> tuple[Line, ...]:
    """All of it. `recent`: names of profiles, the last one used first. `now`: Unix time."""
    title, line = headline(view, now)
    said = (Line(f"line {place}", _short(part)) for place, part in enumerate(_wrapped(line)))
    parts: list[tuple[Line, ...]] = [(Line("title", _short(title)), *said)]
    if isinstance(view, Snapshot):
        parts += [_main(view), _profiles(view, preferences.favourites, recent), _more(view)]
    elif isinstance(view, Problem):
        parts += [_remedies(view)]
    parts += [(Line("window", t("Open SloPN"), Show()), _quit(view))]
    return _joined([part for part in parts if part])


def order(names: tuple[str, ...], favourites: tuple[str, ...], recent: tuple[str, ...]) -> tuple[str, ...]:
    """`names` with the favourites first, then what was used lately, then the others by their letters."""
    rank = {name: place for place, name in reversed(tuple(enumerate((*favourites, *recent))))}
    return tuple(
        sorted(names, key=lambda name: (rank.get(name, len(rank) + len(favourites) + len(recent)), name.casefold()))
    )


def _main(view: Snapshot) -> tuple[Line, ...]:
    connect = Line("connect", t("Connect"), Ask(Connect()))
    disconnect = Line("disconnect", t("Disconnect"), Ask(Disconnect()))
    reconnect = Line("reconnect", t("Reconnect"), Ask(Reconnect()))
    match view.state:
        case Connected():
            return disconnect, reconnect, _pause()
        case Connecting():
            return Line("disconnect", t("Cancel"), Ask(Disconnect())), reconnect, _pause()
        case ErrorState():
            return Line("reconnect", t("Try again"), Ask(Reconnect())), disconnect, _pause()
        case Disconnecting():
            return (disconnect,) if view.target is TargetState.SECURED else ()
    if view.target is TargetState.PAUSED:
        return Line("connect", t("Resume now"), Ask(Connect(_resumed(view)))), disconnect, _pause()
    return (connect,) if view.profiles else (Line("add", t("Add a profile"), Show("profiles")),)


def _resumed(view: Snapshot) -> str | None:
    resume = view.state.resume if isinstance(view.state, Disconnected) else None
    return resume or view.target_profile


def _pause() -> Line:
    choices = (
        Line(f"pause {minutes}", n("{count} minute", "{count} minutes", minutes), Ask(Pause(60 * minutes)))
        for minutes in PAUSES
    )
    return Line("pause", t("Pause"), children=tuple(choices))


def _profiles(view: Snapshot, favourites: tuple[str, ...], recent: tuple[str, ...]) -> tuple[Line, ...]:
    names = order(tuple({profile.name: None for profile in view.profiles}), favourites, recent)
    lines = tuple(
        Line(f"profile {name}", _short(name), Ask(Connect(name)), checked=name == _in_use(view), radio=True)
        for name in names
    )
    if len(lines) <= TOP + 1:
        return lines
    return (*lines[:TOP], Line("profiles", t("More profiles"), children=lines[TOP:]))


def _in_use(view: Snapshot) -> str | None:
    return None if isinstance(view.state, Disconnected) else view.state.profile


def _more(view: Snapshot) -> tuple[Line, ...]:
    words = {
        KillSwitchMode.OFF: t("Off"),
        KillSwitchMode.ON: t("While connected"),
        KillSwitchMode.ALWAYS: t("Always"),
    }
    modes = tuple(
        Line(
            f"kill switch {mode.value}",
            word,
            Ask(ApplySettings(replace(view.settings, kill_switch=mode), view.settings)),
            checked=view.settings.kill_switch is mode,
            radio=True,
        )
        for mode, word in words.items()
    )
    kill_switch = Line("kill switch", t("Kill switch"), children=modes)
    if not view.health:
        return (kill_switch,)
    found = tuple(
        Line(f"health {place} {warning.code}", _short(_said(warning)), Show("health"))
        for place, warning in enumerate(view.health)
    )
    return kill_switch, Line("health", t("What's wrong ({count})", count=len(found)), children=found)


def _said(warning: Found) -> str:
    text, _ = warned(warning.code, warning.text, warning.remedy, warning.args)
    return " ".join(text.split()) or warning.code


def _remedies(view: Problem) -> tuple[Line, ...]:
    match view.kind:
        case ProblemKind.NUMBER_NEEDED:
            return (Line("number", t("Type the number…"), GiveNumber()),)
        case ProblemKind.NOT_PAIRED:
            return (Line("retry", t("Pair the tray"), Retry()),)
        case ProblemKind.UNREACHABLE:
            return Line("start", t("Start it…"), Show("status")), Line("retry", t("Try again"), Retry())
        case _:
            return (Line("retry", t("Try again"), Retry()),)


def _quit(view: Snapshot | Problem | None) -> Line:
    """Leaving the tray leaves the tunnel alone, and says so."""
    up = isinstance(view, Snapshot) and not (
        isinstance(view.state, Disconnected) and view.target is TargetState.UNSECURED
    )
    if not up:
        return Line("quit", t("Quit"), Leave())
    stay = t("Quit – the tunnel stays up") if _tunnel(view) else t("Quit – SloPN goes on trying")
    return Line(
        "leave",
        t("Quit"),
        children=(Line("quit", stay, Leave()), Line("quit down", t("Disconnect and quit"), Leave(disconnect=True))),
    )


def _tunnel(view: Snapshot | Problem | None) -> bool:
    return isinstance(view, Snapshot) and isinstance(view.state, Connected)


def _joined(parts: list[tuple[Line, ...]]) -> tuple[Line, ...]:
    lines = list(parts[0])
    for place, part in enumerate(parts[1:], 1):
        lines += [Line(f"separator {place}"), *part]
    return tuple(lines)


def _wrapped(line: str) -> list[str]:
    """A menu as wide as its longest line hides the screen; what traffic does stands last, and is never cut off."""
    found: list[str] = []
    for part in line.split(DOT) if line else ():
        if found and len(found[-1]) + len(DOT) + len(part) <= _WIDE:
            found[-1] += DOT + part
        else:
            found.append(part)
    return found


def _short(text: str) -> str:
    """On one line of a menu; what a name holds that isn't for people is left out."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text) or "…"
    return clean if len(clean) <= _WIDEST else f"{clean[: _WIDEST - 1]}…"
