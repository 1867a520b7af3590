from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given

from slopn_app.cli.bundle import save
from slopn_app.cli.documents import ReplayedDoc
from slopn_app.cli.output import dressed
from slopn_app.cli.verbs.replay import described, timeline
from slopn_wire.codec import encode
from slopn_wire.commands import Replay
from slopn_wire.diagnosis import Replayed, ReplayedStep
from slopn_wire.state import Connected, Connecting, Disconnected, ErrorCause, ErrorState, Step, TunnelState
from support.fake_helper import FakeHelper
from support.slopn import Slopn
from support.wire import values

STEPS = '{"n":1,"at":1.0,"v":"1","input":{"type":"start"}}\n'
CONNECTING = Connecting("berlin")
WAITING = Connecting("berlin", 1, Step.WAITING, cause=ErrorCause.HANDSHAKE)


def step(number: int, inp: str, state: TunnelState, recorded: TunnelState | None = None) -> ReplayedStep:
    """A second after the one before."""
    return ReplayedStep(number, 1_700_000_000.0 + number, inp, state, recorded or state)


GOOD = Replayed(
    (
        step(1, '{"type":"connect_to","profile":"berlin"}', CONNECTING),
        step(2, '{"type":"timer","generation":1}', CONNECTING),
        step(3, '{"type":"timer","generation":2}', CONNECTING),
        step(4, '{"type":"timed_out"}', WAITING),
        step(5, '{"type":"disconnect"}', Disconnected()),
    ),
    "1.2",
)
BAD = Replayed((*GOOD.steps, step(6, "garbage", Disconnected(), CONNECTING)), "1.2", "line 7 is damaged")


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A recording."""
    path = tmp_path / "recorder.jsonl"
    path.write_text(STEPS)
    return str(path)


def test_the_recording_is_what_the_helper_gets(helper: FakeHelper, slopn: Slopn, file: str, tmp_path: Path) -> None:
    """Packed; out of a bundle as well."""
    helper.answer(Replay, GOOD)
    bundle = tmp_path / "x.zip"
    save(str(bundle), {"recorder.jsonl": STEPS, "log.jsonl": "{}\n"}, 1e9)
    for path in (file, str(bundle)):
        assert slopn("replay", path).status == 0
        command = helper.commands[-1]
        assert isinstance(command, Replay)
        assert zlib.decompress(command.recording).decode() == STEPS


def test_the_timeline(helper: FakeHelper, slopn: Slopn, file: str) -> None:
    """A line for each change, what changed nothing is counted."""
    helper.answer(Replay, GOOD)
    outcome = slopn("replay", file)
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
    assert lines[1].endswith("connect_to profile=berlin → connecting to berlin: resolving")
    assert lines[2] == "… 2 inputs that changed nothing"
    assert lines[3].endswith("timed_out → connecting to berlin: waiting, after 1 tries: handshake")
    assert lines[4].endswith("disconnect → disconnected")
    assert lines[-2:] == ["5 inputs, recorded by SloPN 1.2.", "Every state is the one of then."]
    assert len(slopn("replay", file, "--all").out.splitlines()) == len(lines) + 1


def test_a_difference_is_marked(helper: FakeHelper, slopn: Slopn, file: str) -> None:
    """With what was then; status 1. What can't be run is said."""
    helper.answer(Replay, BAD)
    outcome = slopn("replay", file)
    assert outcome.status == 1
    lines = outcome.out.splitlines()
    assert lines[5].startswith("≠ ")
    assert lines[6].split() == ["recorded", "then:", "connecting", "to", "berlin:", "resolving"]
    assert lines[-2:] == ["1 led to another state than then.", "The rest can't be run: line 7 is damaged"]
    document = slopn("replay", file, "--json").json
    assert (document["different"], document["problem"], len(document["steps"])) == (1, "line 7 is damaged", 6)


def test_an_unreadable_rest_is_a_failure(helper: FakeHelper, slopn: Slopn, file: str) -> None:
    """Status 1 also when all that could be run is the same."""
    helper.answer(Replay, Replayed(GOOD.steps, "1.2", "line 6 is damaged"))
    assert slopn("replay", file).status == 1
    helper.answer(Replay, Replayed((), "1.2"))
    assert slopn("replay", file).status == 0


def test_what_is_no_recording(helper: FakeHelper, slopn: Slopn, tmp_path: Path) -> None:
    """Status 2, and nothing was sent."""
    (tmp_path / "x").write_text("hello")
    assert slopn("replay", str(tmp_path / "x")).status == 2
    assert slopn("replay", str(tmp_path / "none")).status == 2
    assert helper.commands == []


@given(values(Replayed))
def test_any_replay_can_be_shown(replayed: Replayed) -> None:
    """Whatever the helper sends, each line is printable, and each difference is there."""
    document = cast("ReplayedDoc", json.loads(encode(replayed)))
    for everything in (True, False):
        lines = [dressed(line, coloured=False) for line in timeline(document, everything=everything)]
        different = sum(each.state != each.recorded for each in replayed.steps)
        assert sum(line.startswith("≠") for line in lines) == different


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (Disconnected("berlin"), "paused, then berlin"),
        (Connected("berlin", (), "slopn0"), "connected through berlin"),
        (ErrorState(ErrorCause.HOST, "berlin"), "error: host, blocking"),
        (ErrorState(ErrorCause.HOST, "berlin", blocking=False), "error: host, not blocking"),
    ],
)
def test_states_in_words(state: TunnelState, text: str) -> None:
    """Short enough for a line."""
    document: Any = json.loads(encode(state))
    assert described(document) == text
