from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import dressed
from slopn_app.cli.verbs import logs
from slopn_app.cli.verbs.logs import COLOURS, LEVELS, shown
from slopn_wire.commands import GetLogs
from slopn_wire.logs import LogFilter, LogLevel, Logs
from support.fake_helper import FakeHelper
from support.slopn import Slopn, spawned

NOW = time.mktime((2026, 3, 4, 15, 0, 0, 0, 0, -1))


def fill(helper: FakeHelper) -> None:
    """One line a level, a second apart."""
    for number, level in enumerate(LEVELS):
        helper.logs.add(NOW + number, level, "tunnel.driver", f"word {number}")


def message(process: subprocess.Popen[str]) -> Any:
    """The next line, of JSON."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def test_levels_are_the_helpers() -> None:
    """The same words in the same order on both sides; colours are for levels that there are."""
    assert list(LEVELS) == [level.value for level in LogLevel]
    assert set(COLOURS) <= set(LEVELS)


def test_all_lines(helper: FakeHelper, slopn: Slopn) -> None:
    """Oldest first, with number, time, level and component."""
    fill(helper)
    outcome = slopn("logs")
    assert outcome.status == 0
    assert outcome.out.splitlines()[1] == "     2 2026-03-04 15:00:01 info     tunnel.driver: word 1"
    assert len(outcome.out.splitlines()) == 5


def test_the_helper_filters(helper: FakeHelper, slopn: Slopn) -> None:
    """Level, component, text and time are its business."""
    fill(helper)
    outcome = slopn("logs", "--level", "warning", "--since", str(NOW + 3), "--json")
    assert [line["message"] for line in outcome.lines] == ["word 3", "word 4"]
    assert outcome.lines[0] == {
        "number": 4,
        "at": NOW + 3,
        "level": "error",
        "component": "tunnel.driver",
        "message": "word 3",
    }
    assert slopn("logs", "--component", "engine", "--text", "word").out == ""
    assert helper.commands == [
        GetLogs(LogFilter(LogLevel.WARNING), NOW + 3),
        GetLogs(LogFilter(component="engine", text="word")),
    ]


def test_lost_lines_are_told(helper: FakeHelper, slopn: Slopn) -> None:
    """In their place, for people and for scripts."""
    helper.answer(GetLogs, Logs((), 12))
    assert slopn("logs").out == "… 12 lines were missed here\n"
    assert slopn("logs", "--json").lines == [{"missed": 12}]


def test_control_characters_and_new_lines(helper: FakeHelper, slopn: Slopn) -> None:
    """A message can't pose as another line or command the terminal."""
    helper.logs.add(NOW, "info", "x", "a\nb\x1b[2J")
    assert slopn("logs").out.splitlines()[1:] == ["    b\\x1b[2J"]


@pytest.mark.parametrize("level", LEVELS)
def test_levels_have_colours(level: str) -> None:
    """On a terminal the level stands out; the words are the same."""
    line = shown({"number": 1, "at": NOW, "level": level, "component": "x", "message": "y"})
    coloured = dressed(line, coloured=True)
    assert (f"m{level:<8}\x1b[0m" in coloured) == (level != "info")
    assert dressed(line, coloured=False) == f"     1 2026-03-04 15:00:00 {level:<8} x: y"


@pytest.mark.parametrize("text", ["", "yesterday"])
def test_moments_that_are_none(helper: FakeHelper, slopn: Slopn, text: str) -> None:
    """Status 2, and nothing was sent."""
    assert slopn("logs", "--since", text).status == 2
    assert helper.commands == []


def test_an_unknown_level_is_wrong_usage(slopn: Slopn) -> None:
    """Status 2, with the known ones."""
    outcome = slopn("logs", "--level", "loud")
    assert outcome.status == 2
    assert "debug" in outcome.err


def test_follow_goes_on(helper: FakeHelper) -> None:
    """Old lines, then new ones of the level, each once."""
    fill(helper)
    with spawned("logs", "-f", "--level", "error", "--json") as running:
        assert [message(running)["message"] for _ in range(2)] == ["word 3", "word 4"]
        helper.logs.add(NOW + 9, "info", "x", "unheard")
        helper.logs.add(NOW + 9, "error", "x", "heard")
        assert message(running) == {"number": 7, "at": NOW + 9, "level": "error", "component": "x", "message": "heard"}


def test_follow_survives_a_restart(helper: FakeHelper, tmp_path: Path) -> None:
    """It says so on stderr, and prints the new run's lines from its first one on."""
    fill(helper)
    with spawned("logs", "-f", "--json") as running:
        assert running.stderr is not None
        assert [message(running)["number"] for _ in LEVELS] == [1, 2, 3, 4, 5]
        helper.stop()
        assert "has closed the connection" in running.stderr.readline()
        assert "Waiting for it" in running.stderr.readline()
        with FakeHelper(tmp_path / "run") as second:
            second.logs.add(NOW, "info", "x", "anew")
            assert message(running)["message"] == "anew"
            assert running.stderr.readline() == "It is back, and counts its lines anew.\n"


class Broken:
    """A channel to one run of a helper, that breaks off after a batch of lines."""

    asked: ClassVar[list[Any]] = []
    batches: ClassVar[list[Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def snapshot(self) -> Any:
        """Always the same run's."""
        return {"epoch": "run"}

    def ask(self, command: Any) -> Any:
        """Note it."""
        self.asked.append(command)
        return {"type": "done"}

    def streamed(self) -> Any:
        """A batch, then the end."""
        batch = self.batches.pop(0)
        if isinstance(batch, BaseException):
            raise batch
        return batch


def test_follow_goes_on_behind_the_last_line(slopn: Slopn, monkeypatch: pytest.MonkeyPatch) -> None:
    """When only the connection broke, no line is asked for twice."""
    lines = [{"number": number, "at": NOW, "level": "info", "component": "x", "message": "y"} for number in (7, 9)]
    monkeypatch.setattr(Broken, "asked", [])
    monkeypatch.setattr(
        Broken,
        "batches",
        [
            {"type": "logs", "lines": lines, "missed": 0, "epoch": "run"},
            Failure(Status.UNREACHABLE, "gone"),
            KeyboardInterrupt(),
        ],
    )
    monkeypatch.setattr(logs, "Channel", Broken)
    outcome = slopn("logs", "-f")
    assert outcome.err.splitlines() == ["gone", "Waiting for it to come back; Ctrl-C ends this.", "It is back."]
    assert [command["after"] for command in Broken.asked] == [0, 9]
    assert len(outcome.out.splitlines()) == 2


def test_follow_begins_with_a_helper(slopn: Slopn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 3 without one."""
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "none"))
    assert slopn("logs", "-f").status == 3
