"""The way back without a helper: whoever holds the state is ended, whatever fails the rest is undone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slopn_helper import undo
from slopn_helper.store import StateLocked, Store

HOLD = """
import signal, sys, time
from pathlib import Path
from slopn_helper.store import StateLocked, Store
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
Store(Path(sys.argv[1])).lock()
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def holder(directory: Path, kind: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the state directory."""
    argv = [sys.executable, "-c", HOLD, str(directory), kind]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_nobody_to_end(tmp_path: Path) -> None:
    """The state is ours at once."""
    store = Store(tmp_path)
    undo.end_helper(store)
    assert store.holder() is not None


def test_a_helper_is_ended_in_order(tmp_path: Path) -> None:
    """SIGTERM is enough for one that listens."""
    with holder(tmp_path, "listening") as process:
        undo.end_helper(Store(tmp_path))
        assert process.wait(5) == -15


def test_a_helper_that_does_not_listen_is_ended_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while."""
    monkeypatch.setattr(undo, "TERM_WITHIN", 0.2)
    with holder(tmp_path, "deaf") as process:
        undo.end_helper(Store(tmp_path))
        assert process.wait(5) == -9


def test_a_helper_that_ends_by_itself_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number is nobody's any more when it is told to end: the state is ours at the next try."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    refusals = [StateLocked(tmp_path / "lock", gone.pid)]

    def lock(_: Store, *, unwritten: bool) -> None:
        assert unwritten
        if refusals:
            raise refusals.pop()

    monkeypatch.setattr(Store, "lock", lock)
    undo.end_helper(Store(tmp_path))
    assert refusals == []
