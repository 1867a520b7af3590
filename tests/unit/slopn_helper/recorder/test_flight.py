from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slopn_helper.recorder import FlightRecorder, NoRecorder, Recorder, replay_lines
from slopn_helper.tunnel.inputs import Input
from slopn_wire.settings import Settings
from support.recording import CONNECTING, INPUTS, SETTINGS, drive

SEQUENCES = st.lists(
    st.tuples(st.sampled_from(INPUTS), st.sampled_from(SETTINGS), st.floats(0, 1, exclude_max=True)), max_size=40
)


@settings(deadline=None, max_examples=40)
@given(st.lists(SEQUENCES, min_size=1, max_size=3), st.sampled_from([4000, 400_000]))
def test_a_recording_replays_to_the_same_states(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[tuple[Input, Settings, float]]], limit: int
) -> None:
    """Of any inputs, over several runs of the helper, and also where the ring has forgotten the beginning."""
    folder = tmp_path_factory.mktemp("recorder")
    noted = []
    for inputs in runs:
        recorder = FlightRecorder(folder, limit)
        noted += drive(recorder, inputs)
        recorder.close()
    if not noted:
        return
    replayed = replay_lines(FlightRecorder(folder, limit).read())
    assert replayed.problem == ""
    assert [done.state for done in replayed.steps] == [done.recorded for done in replayed.steps]
    assert [done.recorded for done in replayed.steps] == [one.after for one in noted[-len(replayed.steps) :]]
    assert [done.at for done in replayed.steps] == [one.at for one in noted[-len(replayed.steps) :]]
    assert [done.number for done in replayed.steps][-1] == len(noted)
    assert limit == 4000 or len(replayed.steps) == len(noted)


DYING = """
import os, signal, sys
from pathlib import Path
from slopn_helper.recorder import FlightRecorder
from support.recording import CONNECTING, drive
from slopn_wire.settings import Settings
drive(FlightRecorder(Path(sys.argv[1])), [(inp, Settings(), 0.5) for inp in CONNECTING])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_recording_survives_its_helper(tmp_path: Path) -> None:
    """SIGKILL right after a step: the step is there."""
    tests = Path(__file__).resolve().parents[3]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), *filter(None, [os.environ.get("PYTHONPATH")])])}
    died = subprocess.run([sys.executable, "-c", DYING, str(tmp_path / "r")], env=env, check=False)
    assert died.returncode == -signal.SIGKILL
    replayed = replay_lines(FlightRecorder(tmp_path / "r").read())
    assert replayed.problem == ""
    assert replayed.steps[-1].state == drive(NoRecorder(), [(inp, Settings(), 0.5) for inp in CONNECTING])[-1].after


@pytest.mark.root
def test_a_full_disk_disturbs_nobody(tmp_path: Path) -> None:
    """A real one, in a namespace of its own. It is told once; when there is room again the recording goes on, complete."""
    test = FULL_DISK.replace("TESTS", str(Path(__file__).resolve().parents[3]))
    argv = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", test, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the flight recorder can't be written") == 1


FULL_DISK = """
import logging, subprocess, sys
sys.path.insert(0, "TESTS")
from pathlib import Path
from slopn_helper.recorder import FlightRecorder, replay_lines
from support.recording import CONNECTING, drive
from slopn_wire.settings import Settings
logging.basicConfig(level=logging.WARNING)
disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
recorder = FlightRecorder(disk / "recorder")
steps = [(inp, Settings(), 0.5) for inp in CONNECTING]
drive(recorder, steps)
(disk / "filler").write_bytes(bytes(40 << 10))
while "filled":
    before = len(recorder.read())
    drive(recorder, steps * 20)
    if len(recorder.read()) == before:
        break
found = replay_lines(recorder.read())
assert found.problem == "" and found.steps, found.problem
(disk / "filler").unlink()
drive(recorder, steps, begin=2e9)
found = replay_lines(recorder.read())
assert found.problem == "", found.problem
assert found.steps[-1].at > 2e9
assert all(step.state == step.recorded for step in found.steps)
"""


def test_a_defect_of_ours_disturbs_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong is logged once until it goes well again."""
    recorder = FlightRecorder(tmp_path)
    steps = [(inp, Settings(), 0.5) for inp in CONNECTING]
    with caplog.at_level(logging.WARNING), pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder._writer, "line", lambda *_: 1 // 0)
        drive(recorder, steps)
    assert len(caplog.records) == 1
    drive(recorder, steps)
    assert replay_lines(recorder.read()).problem == ""


def test_after_half_a_line_comes_a_complete_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that neither takes the rest nor gives back the half costs that line alone."""
    recorder = FlightRecorder(tmp_path)
    steps = [(inp, Settings(), 0.5) for inp in CONNECTING]
    noted = drive(recorder, steps)
    write = os.write

    def refuse(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def half(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", refuse)
        return write(fd, data[:50])

    monkeypatch.setattr(os, "write", half)
    monkeypatch.setattr(os, "ftruncate", refuse)
    drive(recorder, steps[:1])
    monkeypatch.undo()
    drive(recorder, steps)
    found = replay_lines(recorder.read())
    assert found.problem == ""
    assert len(found.steps) == 2 * len(noted)


def test_both_are_recorders(tmp_path: Path) -> None:
    """The one that forgets makes nothing."""
    recorders: list[Recorder] = [NoRecorder(), FlightRecorder(tmp_path / "r")]
    for recorder in recorders:
        assert not (tmp_path / "r").exists()
        drive(recorder, [(inp, Settings(), 0.5) for inp in CONNECTING])
    assert (tmp_path / "r").exists()
