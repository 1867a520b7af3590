from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper import __version__
from slopn_helper.recorder import FlightRecorder, replay, replay_lines
from slopn_helper.recorder.replay import MOST_BYTES, MOST_OUTPUT, MOST_STEPS
from slopn_wire import codec
from slopn_wire.diagnosis import Replayed
from slopn_wire.settings import Settings
from slopn_wire.state import Connected
from support.recording import CONNECTING, drive


@lru_cache
def recording(runs: int = 1) -> bytes:
    """A connection, as often as the helper was started."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            recorder = FlightRecorder(Path(folder))
            drive(recorder, [(inp, Settings(), 0.5) for inp in CONNECTING])
            recorder.close()
        return FlightRecorder(Path(folder)).read()


STEPS = len(recording().splitlines())


def changed(number: int, **members: Any) -> bytes:
    """The recording with members of one line (from 0) replaced."""
    lines = recording().splitlines()
    lines[number] = json.dumps({**json.loads(lines[number]), **members}).encode()
    return b"\n".join(lines)


def test_a_recording_is_run_again() -> None:
    """Compressed, as a front end sends it; each step with its input, the state then and the state now."""
    found = replay(zlib.compress(recording()))
    assert (found.problem, found.version) == ("", __version__)
    assert len(found.steps) == STEPS
    assert isinstance(found.steps[-1].state, Connected)
    assert json.loads(found.steps[0].input) == {"type": "connect", "profile": "berlin"}


def test_another_outcome_is_seen() -> None:
    """What was recorded and what the core says now stand side by side, and the replay goes on from the latter."""
    found = replay_lines(changed(1, after={"type": "disconnected"}))
    assert found.problem == ""
    assert found.steps[1].state != found.steps[1].recorded
    assert isinstance(found.steps[-1].state, Connected)


@pytest.mark.parametrize("cut", [1, 30, 100])
def test_a_damaged_end_is_no_problem(cut: int) -> None:
    """A killed helper leaves one; also before the next start's lines."""
    found = replay_lines(recording()[:-cut])
    assert (found.problem, len(found.steps)) == ("", STEPS - (cut > 1))
    found = replay_lines(recording()[:-cut] + b"\n" + recording())
    assert (found.problem, len(found.steps)) == ("", 2 * STEPS - (cut > 1))


def test_damage_in_the_middle_is_told_and_left_out() -> None:
    """With what continues it; from the next start on everything is run."""
    lines = recording(2).splitlines()
    lines[2] = lines[2][:-9]
    found = replay_lines(b"\n".join(lines))
    assert found.problem == (
        f"{STEPS - 2} of {2 * STEPS} lines could not be run, from line 3 on: "
        "they are damaged, or continue one that is damaged or missing."
    )
    assert len(found.steps) == STEPS + 2
    assert all(step.state == step.recorded for step in found.steps)


@pytest.mark.parametrize(
    "damage",
    [
        lambda: changed(0, v="x" * 10, before={"type": "connected"}),
        lambda: changed(0, context={"profiles": [1]}),
        lambda: changed(1, input={"type": "connect"}),
        lambda: changed(1, n=77),
        lambda: changed(0, at="now"),
        lambda: recording().replace(b"{", b"["),
        lambda: b"hello\nworld\n",
        lambda: b"\x00" * 1000,
        lambda: b"[" * 100_000,
        lambda: b"\xff" * 100,
        lambda: b'{"n":1,"at":1.0}',
        lambda: b'{"n":1e5,"at":1.0}\n' * 100,
    ],
)
def test_rubbish_is_a_problem_and_no_traceback(damage: Callable[[], bytes]) -> None:
    """Said in a sentence; what could be run is there."""
    found = replay(zlib.compress(damage()))
    assert "could not be run" in found.problem
    assert found.problem.endswith(".")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "empty"),
        (b"hello", "not a recording"),
        (zlib.compress(b""), "empty"),
        (zlib.compress(b"\n\n"), "empty"),
        (zlib.compress(recording())[:-20], "cut off"),
        (zlib.compress(b"\n" * (MOST_BYTES + 1)), "larger than 1 MiB"),
        (zlib.compress(bytes(1 << 30)), "larger than 1 MiB"),
    ],
    ids=["nothing", "text", "empty", "no-lines", "cut", "large", "bomb"],
)
def test_what_does_not_unpack_is_a_problem(raw: bytes, problem: str) -> None:
    """A megabyte that would become a gigabyte isn't unpacked."""
    assert problem in replay(raw).problem


def test_too_many_steps_are_not_run() -> None:
    """The rest is left, and it is said."""
    first = recording().splitlines()[0]
    found = replay_lines(b"\n".join([first] * (MOST_STEPS + 1)))
    assert len(found.steps) == MOST_STEPS
    assert "too long" in found.problem


def test_the_answer_is_bounded() -> None:
    """A state that each line would repeat can't be made as large as one likes."""
    large = {"type": "connecting", "profile": "x" * 30_000}
    first = changed(0, before=large, after=large, input={"type": "settings_applied"}).splitlines()[0]
    more = b"".join(b'\n{"n":%d,"at":1.0,"input":{"type":"settings_applied"}}' % (2 + number) for number in range(5000))
    found = replay_lines(first + more)
    assert "too long" in found.problem
    assert len(codec.encode(found)) < MOST_OUTPUT + 100_000


def sent(found: Replayed) -> bool:
    """Whether the answer can go onto the wire and be read there."""
    return codec.decode(codec.encode(found), Replayed) == found


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(raw: bytes) -> None:
    """As they are, and compressed."""
    assert sent(replay(raw))
    assert sent(replay(zlib.compress(raw)))


@given(st.data())
def test_a_recording_with_anything_in_it_is_answered(data: st.DataObject) -> None:
    """Bytes changed, cut out and repeated anywhere."""
    raw = bytearray(recording())
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, max(len(raw) - 1, 0)))
        end = begin + data.draw(st.integers(0, 40))
        raw[begin:end] = data.draw(st.one_of(st.binary(max_size=20), st.just(bytes(raw[begin:end]) * 2)))
    found = replay_lines(bytes(raw))
    assert sent(found)


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("192.0.2.1"))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.integers(0, STEPS - 1),
    st.sampled_from(["v", "n", "at", "before", "after", "input", "settings", "context"]),
    VALUES,
)
def test_members_of_any_kind_are_answered(number: int, member: str, value: object) -> None:
    """JSON that is well formed and means nothing."""
    assert sent(replay_lines(changed(number, **{member: value})))


@pytest.mark.parametrize("attempt", [10**30, -(10**30), 2**63, -1])
def test_numbers_beyond_the_wire_are_no_trap(attempt: int) -> None:
    """They come back as they are, or are a problem."""
    state = {"type": "connecting", "profile": "a", "attempt": attempt}
    assert sent(replay_lines(changed(0, before=state, after=state, input={"type": "timer_fired"})))


def test_random_bytes_after_a_recording_are_a_problem() -> None:
    """One line of them could be a killed helper's; more can't."""
    assert replay_lines(recording() + os.urandom(50).replace(b"\n", b"")).problem == ""
    assert replay_lines(recording() + b"x\nx\nx").problem != ""
