from __future__ import annotations

import json
import time

import pytest

from slopn_app.cli.failure import Failure
from slopn_app.cli.verbs.logs import LEVELS, moment
from slopn_helper import logs
from slopn_wire.commands import GetLogs
from slopn_wire.events import LogLine, Logs, Stats
from support.fake_helper import FakeHelper
from support.slopn import Slopn, spawned
from support.until import until

NOW = time.mktime((2026, 3, 4, 15, 0, 0, 0, 0, -1))


def fill(helper: FakeHelper) -> None:
    """One line a level, a second apart."""
    for number, level in enumerate(LEVELS):
        helper.logs.add(LogLine(NOW + number, level, "slopn_helper.x", f"word {number}"))


def test_levels_are_the_helpers() -> None:
    """The same words in the same order on both sides."""
    assert LEVELS == logs.LEVELS


def test_all_lines(helper: FakeHelper, slopn: Slopn) -> None:
    """Oldest first, with time, level and logger."""
    fill(helper)
    outcome = slopn("logs")
    assert outcome.status == 0
    assert outcome.out.splitlines()[1] == "2026-03-04 15:00:01 info     slopn_helper.x: word 1"
    assert len(outcome.out.splitlines()) == 5


def test_level_and_since(helper: FakeHelper, slopn: Slopn) -> None:
    """The helper filters."""
    fill(helper)
    outcome = slopn("logs", "--level", "warning", "--since", str(NOW + 3), "--json")
    assert [line["message"] for line in outcome.lines] == ["word 3", "word 4"]
    assert outcome.lines[0] == {"at": NOW + 3, "level": "error", "logger": "slopn_helper.x", "message": "word 3"}
    assert helper.commands == [GetLogs(NOW + 3, "warning")]


def test_control_characters_and_new_lines(helper: FakeHelper, slopn: Slopn) -> None:
    """A message can't pose as another line or command the terminal."""
    helper.logs.add(LogLine(NOW, "info", "x", "a\nb\x1b[2J"))
    assert slopn("logs").out.splitlines()[1:] == ["    b\\x1b[2J"]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - 90),
        ("10m", NOW - 600),
        ("1.5h", NOW - 5400),
        ("2d", NOW - 172_800),
        ("14:02", NOW - 58 * 60),
        ("14:02:30", NOW - 58 * 60 + 30),
        ("2026-03-04T14:00", NOW - 3600),
        ("2026-03-04", NOW - 15 * 3600),
        ("1700000000.5", 1_700_000_000.5),
    ],
)
def test_moments(text: str, at: float) -> None:
    """A span ago, a clock time today, a date, Unix time."""
    assert moment(text, NOW) == at


@pytest.mark.parametrize(
    "text", ["", "yesterday", "10 m", "25:00", "2026-13-01", "10w", "nan", "inf", "1e400", "9" * 400 + "d"]
)
def test_moments_that_are_none(helper: FakeHelper, slopn: Slopn, text: str) -> None:
    """Status 2, with what is allowed, and nothing was sent."""
    with pytest.raises(Failure, match="it can be 10m"):
        moment(text, NOW)
    assert slopn("logs", "--since", text).status == 2
    assert helper.commands == []


def test_an_unknown_level_is_wrong_usage(slopn: Slopn) -> None:
    """Status 2, with the known ones."""
    outcome = slopn("logs", "--level", "loud")
    assert outcome.status == 2
    assert "debug" in outcome.err


def test_follow_goes_on_until_the_helper_ends(helper: FakeHelper) -> None:
    """Old lines, then new ones of the level, each once; events pass by; status 3 when the helper is gone."""
    fill(helper)
    with spawned("logs", "-f", "--level", "error", "--json") as running:
        assert running.stdout is not None
        old = [json.loads(running.stdout.readline())["message"] for _ in range(2)]
        helper.publish(Stats(1, 1))
        helper.logs.add(LogLine(NOW + 9, "info", "x", "unheard"))
        helper.logs.add(LogLine(NOW + 9, "error", "x", "heard"))
        assert old == ["word 3", "word 4"]
        assert json.loads(running.stdout.readline())["message"] == "heard"
        helper.stop()
        out, err = running.communicate(timeout=20)
    assert running.returncode == 3
    assert json.loads(out)["error"]["status"] == 3
    assert "closed the connection" in err


def test_follow_prints_each_line_once(helper: FakeHelper) -> None:
    """A line of the moment between the two requests comes live and with the old ones."""

    def answer(_: object) -> Logs:
        helper.logs.add(LogLine(NOW, "info", "x", "both ways"))
        return Logs(helper.logs.lines())

    helper.answer(GetLogs, answer)
    with spawned("logs", "-f") as running:
        assert running.stdout is not None
        assert running.stdout.readline().endswith("x: both ways\n")
        helper.logs.add(LogLine(NOW + 1, "info", "x", "later"))
        assert running.stdout.readline().endswith("x: later\n")


def test_follow_survives_lagging(helper: FakeHelper) -> None:
    """More events than the queue holds don't end the log."""
    with spawned("logs", "-f") as running:
        assert running.stdout is not None
        until(lambda: helper.run(lambda: bool(helper.hub.subscribers)), 20, "it watches")
        first = helper.run(lambda: helper.hub.subscribers[0])
        helper.publish(*[Stats(1, 1)] * 1000)
        until(lambda: helper.run(lambda: first not in helper.hub.subscribers), 20, "it watches anew")
        until(lambda: helper.run(lambda: bool(helper.hub.subscribers)), 20, "it watches anew")
        helper.logs.add(LogLine(NOW, "info", "x", "still here"))
        assert running.stdout.readline().endswith("x: still here\n")
