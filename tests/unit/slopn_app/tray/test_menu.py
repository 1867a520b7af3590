from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from slopn_app.feed import Problem, ProblemKind
from slopn_app.preferences import Preferences
from slopn_app.tray.menu import Act, Ask, GiveNumber, Leave, Line, Retry, Show, menu, order
from slopn_wire.commands import ApplySettings, Connect, Disconnect, Pause, Reconnect
from slopn_wire.events import PolicyKind, Severity, Snapshot, Warning  # noqa: A004 - the health list\'s word
from slopn_wire.settings import KillSwitchMode
from slopn_wire.state import Connecting, Disconnected, Disconnecting, ErrorCause, ErrorState, Step, TargetState
from support.desktop_views import views
from support.samples import BERLIN, CONNECTED, DISCONNECTED

PROBLEMS = st.builds(Problem, st.sampled_from(ProblemKind), st.tuples(st.text(min_size=1)))
NOW = 1_700_000_200.0
PAUSED = replace(
    DISCONNECTED,
    state=Disconnected(resume="paris"),
    target=TargetState.PAUSED,
    target_profile="paris",
    paused_until=NOW + 60,
)


def _menu(view: Snapshot | Problem | None, preferences: Preferences | None = None, *recent: str) -> tuple[Line, ...]:
    return menu(view, preferences or Preferences(), recent, NOW)


def _all(lines: tuple[Line, ...]) -> Iterator[Line]:
    for line in lines:
        yield line
        yield from _all(line.children)


def _acts(lines: tuple[Line, ...]) -> dict[str, Act]:
    return {line.label: line.act for line in _all(lines) if line.act is not None}


def _labels(lines: tuple[Line, ...]) -> list[str]:
    return [line.label for line in lines if line.label]


def test_the_menu_of_a_tunnel_that_stands() -> None:
    """State, actions, profiles, pause, kill switch, window, and a way out that says what becomes of the tunnel."""
    lines = _menu(CONNECTED)
    assert _labels(lines)[2:] == [
        "Disconnect",
        "Reconnect",
        "Pause",
        "berlin",
        "paris",
        "Kill switch",
        "Open SloPN",
        "Quit",
    ]
    acts = _acts(lines)
    assert [acts[f"{minutes} minutes"] for minutes in (5, 15, 60)] == [Ask(Pause(s)) for s in (300, 900, 3600)]
    assert acts["Disconnect"] == Ask(Disconnect())
    assert acts["paris"] == Ask(Connect("paris"))
    assert acts["Quit – the tunnel stays up"] == Leave()
    assert acts["Disconnect and quit"] == Leave(disconnect=True)
    assert acts["Open SloPN"] == Show()
    assert [(line.label, line.checked) for line in lines if line.key.startswith("profile ")] == [
        ("berlin", True),
        ("paris", False),
    ]


@pytest.mark.parametrize(
    ("view", "first"),
    [
        (DISCONNECTED, [Ask(Connect())]),
        (replace(DISCONNECTED, profiles=()), [Show("profiles")]),
        (PAUSED, [Ask(Connect("paris")), Ask(Disconnect())]),
        (replace(CONNECTED, state=Connecting("berlin")), [Ask(Disconnect()), Ask(Reconnect())]),
        (replace(CONNECTED, state=ErrorState(ErrorCause.OFFLINE, "berlin")), [Ask(Reconnect()), Ask(Disconnect())]),
        (Problem(ProblemKind.UNREACHABLE, ("x",)), [Show("status"), Retry()]),
        (Problem(ProblemKind.NOT_PAIRED, ("x",)), [Retry()]),
        (Problem(ProblemKind.NUMBER_NEEDED, ("x",)), [GiveNumber()]),
    ],
)
def test_what_can_be_done_stands_first(view: Snapshot | Problem, first: list[Act]) -> None:
    """The lines after the state's."""
    acts = [line.act for line in _menu(view) if line.act is not None]
    assert acts[: len(first)] == first


def test_leaving_without_a_tunnel_is_one_click() -> None:
    """There is nothing to say about it then; while one is on its way there is."""
    assert _acts(_menu(DISCONNECTED))["Quit"] == Leave()
    assert _acts(_menu(None))["Quit"] == Leave()
    assert "Quit – SloPN goes on trying" in _acts(_menu(replace(CONNECTED, state=Connecting("berlin"))))


def test_the_kill_switch_is_one_of_three() -> None:
    """Choosing one changes nothing else, and only what is known by now."""
    lines = next(line for line in _menu(CONNECTED) if line.key == "kill switch").children
    assert [(line.label, line.checked, line.radio) for line in lines] == [
        ("Off", False, True),
        ("While connected", True, True),
        ("Always", False, True),
    ]
    wanted = replace(CONNECTED.settings, kill_switch=KillSwitchMode.ALWAYS)
    assert lines[2].act == Ask(ApplySettings(wanted, CONNECTED.settings))


def test_what_is_wrong_is_listed() -> None:
    """By the helper's sentences, on one line each."""
    long = Warning("x", Severity.ERROR, f"One\nline {'and more ' * 20}")
    view = replace(CONNECTED, health=(Warning("clock_wrong", Severity.WARNING, "It is late."), long))
    line = next(line for line in _menu(view) if line.key == "health")
    assert line.label == "What's wrong (2)"
    assert [child.act for child in line.children] == [Show("health")] * 2
    assert line.children[0].label == "It is late."
    assert line.children[1].label.startswith("One line and more")
    assert line.children[1].label.endswith("…")


def test_many_profiles_go_into_a_menu_of_their_own() -> None:
    """Favourites first, then what was used lately, then the others by their letters; all are there."""
    names = [f"p{number:02}" for number in range(12)]
    view = replace(CONNECTED, profiles=tuple(replace(BERLIN, name=name) for name in names))
    lines = _menu(view, Preferences(favourites=("p07", "gone")), "p03", "p07")
    top = [line.label for line in lines if line.key.startswith("profile ")]
    assert top == ["p07", "p03", "p00", "p01", "p02"]
    rest = next(line for line in lines if line.key == "profiles").children
    assert sorted([*top, *(line.label for line in rest)]) == names


def test_a_long_line_is_taken_apart_at_its_dots() -> None:
    """What traffic does meanwhile stands there in full."""
    failing = Connecting("berlin", 3, Step.RESOLVING, cause=ErrorCause.RESOLVE)
    labels = _labels(_menu(replace(CONNECTED, state=failing, policy=PolicyKind.OPEN)))
    assert labels[1:3] == [
        "The gateway's name can't be found · looking up the gateway",
        "your traffic still goes out directly",
    ]


def test_letters_that_are_not_for_people_are_left_out() -> None:
    """A name can't break the menu."""
    view = replace(CONNECTED, profiles=(replace(BERLIN, name="a\nb\x1b[31m"),))
    assert "a b [31m" in _labels(_menu(view))


@given(st.lists(st.text(), unique=True), st.lists(st.text()), st.lists(st.text()))
def test_ordering_loses_nothing(names: list[str], favourites: list[str], recent: list[str]) -> None:
    """And favourites stand before all others."""
    found = order(tuple(names), tuple(favourites), tuple(recent))
    assert sorted(found) == sorted(names)
    known = [name in favourites for name in found]
    assert known == sorted(known, reverse=True)


@given(views() | PROBLEMS | st.none())
def test_every_menu_can_be_drawn(view: Snapshot | Problem | None) -> None:
    """Keys are unlike within each menu, lines that separate stand between others, and one can always leave."""
    lines = _menu(view)
    for inside in (lines, *(line.children for line in _all(lines))):
        assert len({line.key for line in inside}) == len(inside)
    for line in _all(lines):
        assert line.act is None or not line.children
        assert (line.checked is None) <= (not line.radio)
    assert lines[0].label
    assert lines[-1].label
    assert Leave() in _acts(lines).values()


@given(views())
def test_disconnecting_is_offered_while_there_is_something_to_end(view: Snapshot) -> None:
    """One click away."""
    if isinstance(view.state, Disconnected | Disconnecting):
        return
    assert any(line.act == Ask(Disconnect()) for line in _menu(replace(view, policy=PolicyKind.BLOCKED)))
