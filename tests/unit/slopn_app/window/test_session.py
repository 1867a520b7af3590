"""Between the page and the rest: its calls are answered, and it hears what changes while it looks, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from slopn_app.feed import Problem, ProblemKind
from slopn_app.trouble import Trouble
from slopn_app.window.session import HIDDEN_PAUSE
from slopn_wire.commands import Connect
from slopn_wire.events import ErrorKind, Event, Refused, Stats
from slopn_wire.logs import LogLine, Logs
from support.samples import CONNECTED
from support.until import until
from support.window_world import World, up

UP = {"kind": "link", "up": True, "text": "", "permitted": True}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A new one."""
    world = World(tmp_path)
    yield world
    world.session.close()


@pytest.fixture
def seen(world: World) -> World:
    """One whose page listens to a helper that is up."""
    return up(world)


def event(seq: int) -> Event:
    """One that changes the counters."""
    return Event(seq, Stats(seq, seq))


def test_nothing_is_pushed_before_the_page_listens(world: World) -> None:
    """Then it gets the link, the whole state, and each event after it."""
    world.watcher.tell(CONNECTED)
    world.watcher.tell(event(CONNECTED.seq + 1))
    world.shell.run()
    assert world.shell.taken == []
    world.local("ready")
    world.watcher.tell(event(CONNECTED.seq + 2))
    world.shell.run()
    link, snapshot, change = world.shell.pushed
    assert link == UP
    assert snapshot["snapshot"]["seq"] == CONNECTED.seq + 1
    assert snapshot["snapshot"]["stats"]["rx_bytes"] == CONNECTED.seq + 1
    assert change["event"]["seq"] == CONNECTED.seq + 2


def test_a_page_that_is_early(world: World) -> None:
    """It listens before anything is known, and hears of it as soon as it is."""
    world.local("ready")
    world.shell.run()
    assert world.shell.taken == []
    world.watcher.tell(CONNECTED)
    world.shell.run()
    assert world.shell.kinds() == ["link", "snapshot"]


def test_a_problem_and_its_end(seen: World) -> None:
    """What was known holds no more, in the problem's own words; then the whole state comes again."""
    seen.watcher.tell(Problem(ProblemKind.UNREACHABLE, ("It is gone.", "Start it."), 0.5))
    seen.watcher.tell(event(CONNECTED.seq + 1))
    seen.watcher.tell(CONNECTED)
    seen.shell.run()
    down, *rest = seen.shell.pushed
    assert down == {"kind": "link", "up": False, "text": "It is gone. Start it.", "permitted": True}
    assert [push["kind"] for push in rest] == ["link", "snapshot"]


def test_who_may_not(seen: World) -> None:
    """The page shows another thing then."""
    seen.watcher.tell(Problem(ProblemKind.NOT_PERMITTED, ("Not you.",)))
    seen.shell.run()
    assert seen.shell.pushed[0]["permitted"] is False


def test_a_number_is_wanted(seen: World) -> None:
    """Until when, and what the user types goes to the pairing; looking again doesn't begin another one."""
    seen.watcher.tell(Problem(ProblemKind.NUMBER_NEEDED, ("Repeat it.",), expires=123.0))
    seen.local("ready")
    seen.shell.run()
    assert seen.shell.pushed[0]["number_until"] == 123.0
    seen.local("confirm_pairing", number="012345")
    assert seen.watcher.numbers == ["012345"]
    assert seen.watcher.retried == 0


def test_looking_again_tries_again(world: World) -> None:
    """A person is there: what waits for one goes on."""
    world.watcher.tell(Problem(ProblemKind.NOT_PAIRED, ("Unknown.",)))
    world.local("ready")
    assert world.watcher.retried == 1


def test_commands_go_to_the_helper(seen: World) -> None:
    """The result as the wire has it; a refusal and a failure as errors with their kinds."""
    assert seen.call("ask", {"type": "connect", "profile": "berlin"}) == {"ok": {"type": "done", "notes": []}}
    assert seen.watcher.asked == [Connect("berlin")]
    seen.watcher.answer = Refused(ErrorKind.INVALID, "No such profile: Zürich.")
    assert seen.call("ask", {"type": "connect"}) == {"error": {"code": "invalid", "text": "No such profile: Zürich."}}
    seen.watcher.answer = Trouble("timed_out", "It took too long.", "Try again.")
    assert seen.call("ask", {"type": "connect"}) == {
        "error": {"code": "timed_out", "text": "It took too long. Try again."}
    }


@pytest.mark.parametrize(
    ("to", "what"),
    [("ask", {"type": "watch"}), ("ask", "{"), ("local", {"do": "run", "program": "sh"}), ("local", "[]")],
)
def test_what_isn_t_in_the_contract_is_refused(seen: World, to: str, what: Any) -> None:
    """With a sentence, and nobody has been asked anything."""
    assert seen.call(to, what)["error"]["code"] == "invalid"
    assert seen.watcher.asked == []


@pytest.mark.parametrize("text", ["", "{}", "x" * 100, '{"id": 1, "to": "exec", "text": ""}'])
def test_what_is_no_call_is_dropped(seen: World, text: str) -> None:
    """There is nobody to answer."""
    seen.session.called(text)
    assert seen.shell.answers.keys() == {1}


def test_a_hidden_window_leaves_the_helper_alone(seen: World) -> None:
    """No push from then on; after a while it hangs up, and begins anew when somebody looks."""
    seen.local("follow_logs", filter={}, after=0, epoch="")
    seen.local("hidden")
    first = seen.watcher
    first.tell(event(CONNECTED.seq + 1))
    assert first.stopped == 1
    seen.shell.run(HIDDEN_PAUSE - 1)
    assert not first.closed
    seen.shell.run(2)
    until(lambda: first.closed, 10, "it has hung up")
    assert seen.shell.taken == []
    seen.local("ready")
    first.tell(replace(CONNECTED, seq=50))  # a last word of the old one's
    seen.watcher.tell(replace(CONNECTED, seq=99))
    seen.shell.run()
    assert seen.watcher is not first
    assert [push.get("snapshot", {}).get("seq") for push in seen.shell.pushed] == [None, 99]


def test_a_short_look_away_costs_nothing(seen: World) -> None:
    """The connection stays, and the page gets what it has missed as a whole."""
    seen.local("hidden")
    seen.watcher.tell(event(CONNECTED.seq + 1))
    seen.local("ready")
    seen.shell.run(HIDDEN_PAUSE + 1)
    assert len(seen.watchers) == 1
    assert not seen.watcher.closed
    assert seen.shell.pushed[-1]["snapshot"]["seq"] == CONNECTED.seq + 1


def test_lines_are_followed(seen: World) -> None:
    """From what the page has, if those are the same helper's numbers; another call replaces the first."""
    seen.local("follow_logs", filter={"level": "info"}, after=7, epoch=CONNECTED.epoch)
    wanted, after, tell = seen.watcher.following[-1]
    assert (wanted.level, after) == ("info", 7)
    tell(Logs((LogLine(8, 1.0, "info", "x", "Für"),), 2, CONNECTED.epoch))
    tell(Problem(ProblemKind.UNREACHABLE, ("Gone.",)))
    seen.shell.run(1)
    (push,) = seen.shell.pushed
    assert (push["kind"], push["lines"][0]["message"], push["missed"]) == ("logs", "Für", 2)
    seen.local("follow_logs", filter={}, after=7, epoch="another helper")
    assert seen.watcher.following[-1][1] == 0
    assert seen.watcher.stopped == 1
    seen.local("stop_logs")
    assert seen.watcher.stopped == 2


def test_lines_wait_for_a_page_that_listens(world: World) -> None:
    """One that asks for them first gets them once it is ready."""
    world.local("follow_logs", filter={}, after=0, epoch="")
    assert world.watcher.following == []
    world.local("ready")
    assert len(world.watcher.following) == 1


def test_the_helper_is_started(seen: World) -> None:
    """The system is asked, and the connection tried again; where it can't, the page says what the user can do."""
    seen.local("start_helper")
    assert (seen.started, seen.watcher.retried) == (1, 1)
    seen.starting = OSError("Start it in a terminal.")
    answer = seen.call("local", {"do": "start_helper"})
    assert answer == {"error": {"code": "failed", "text": "Start it in a terminal."}}


def test_what_is_opened_waits_for_the_page(world: World, tmp_path: Path) -> None:
    """Files and links from the command line and from a drop, once each; what can't be opened is said."""
    (tmp_path / "a.conf").write_text("x")
    world.session.open([str(tmp_path / "a.conf"), "slopn://show/logs"])
    until(lambda: len(world.session._opened) == 2, 10, "it was read")
    world.local("ready")
    world.local("ready")
    world.session.dropped([tmp_path / "a.conf"])
    world.session.open([str(tmp_path / "none.conf")])
    until(lambda: bool(world.shell.told), 10, "the second was refused")

    def all_there() -> bool:
        world.shell.run()
        return len(world.shell.pushed) == 3

    until(all_there, 10, "all that could be opened is there")
    assert world.shell.kinds() == ["show", "open", "open"]
    assert "none.conf" in world.shell.told[0]


def test_after_the_end_nothing_happens(seen: World) -> None:
    """The watcher is closed, and a late event reaches nobody."""
    seen.session.close()
    assert seen.watcher.closed
    seen.watcher.tell(event(CONNECTED.seq + 1))
    seen.shell.run(HIDDEN_PAUSE + 1)
    assert seen.shell.taken == []
