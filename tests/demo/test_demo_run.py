from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.sabotage import SABOTAGE
from demo.steps import STEPS
from support.until import until

TESTS = Path(__file__).parents[1]
MACHINE = ("/etc/resolv.conf", "/etc/hosts")


@contextmanager
def demo(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The demo as a process with its output in a file; killed if the test does not see it end."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "demo.log")
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "demo", *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, "PYTHONPATH": str(TESTS), "PYTHONIOENCODING": "utf-8"},
            )
        try:
            yield process, log
        finally:
            process.kill()
            process.wait()


def leftovers(pid: int) -> list[str]:
    """Namespaces and folders of that demo which are still there."""
    return [
        str(path) for folder in ("/run/netns", tempfile.gettempdir()) for path in Path(folder).glob(f"slopn-{pid}-*")
    ]


def test_clean_run_holds_every_step_and_leaves_nothing() -> None:
    """Every step is shown and ticked, the status is 0, and the machine is as before."""
    before = [Path(path).read_bytes() for path in MACHINE]
    with demo() as (process, log):
        status = process.wait(120)
        shown = log.read_text(encoding="utf-8")
    assert status == 0, shown
    assert all(step.title in shown for step in STEPS)
    assert shown.count("✓") >= 2 * len(STEPS)
    assert "✗" not in shown
    assert "\x1b" not in shown, "no escape codes where the output is no terminal"
    assert leftovers(process.pid) == []
    assert [Path(path).read_bytes() for path in MACHINE] == before


@pytest.mark.parametrize("name", [step.name for step in STEPS])
def test_broken_step_is_seen(name: str) -> None:
    """With one step sabotaged, the demo stops at that step, says what it saw, and exits 1."""
    number, step = next((number, step) for number, step in enumerate(STEPS, 1) if step.name == name)
    with demo("--plain", "--break", name) as (process, log):
        status = process.wait(120)
        shown = log.read_text(encoding="utf-8")
    assert status == 1, shown
    assert shown.count("✗") == 1, shown
    assert f"Step {number}, {step.title}, failed." in shown, shown
    assert leftovers(process.pid) == []


def test_every_step_can_be_broken() -> None:
    """A new step needs a sabotage of its own."""
    assert set(SABOTAGE) == {step.name for step in STEPS}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_cleans_up(number: signal.Signals) -> None:
    """Ctrl-C in the middle removes everything and exits 130."""
    with demo("--plain") as (process, log):
        until(lambda: "2  Connect" in log.read_text(encoding="utf-8"), 60.0, "the second step has begun")
        process.send_signal(number)
        status = process.wait(30)
        shown = log.read_text(encoding="utf-8")
    assert status == 130, shown
    assert leftovers(process.pid) == []


def test_stay_says_how_to_use_it_and_ends_with_ctrl_c() -> None:
    """With --stay the commands that are shown work until Ctrl-C, and the status is that of the steps."""
    with demo("--plain", "--stay") as (process, log):
        until(lambda: "It stays as it is" in log.read_text(encoding="utf-8"), 120.0, "the demo stays")
        lines = [line.strip() for line in log.read_text(encoding="utf-8").splitlines()]
        connect = next(line for line in lines if line.endswith("slopn connect demo --wait"))
        visit = next(line.split("#")[0] for line in lines if "curl" in line and line.startswith("/"))
        subprocess.run(shlex.split(connect), check=True, capture_output=True, timeout=30)
        answer = subprocess.run(shlex.split(visit), check=True, capture_output=True, text=True, timeout=30).stdout
        assert "203.0.113.10" in answer
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, log.read_text(encoding="utf-8")
    assert leftovers(process.pid) == []
