from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slopn_wire.commands import Watch
from slopn_wire.events import ErrorKind, LogLine, Refused, Snapshot, Stats
from support.fake_helper import FakeHelper
from support.slopn import Slopn, spawned


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """`slopn watch --logs` on the socket in `tmp_path`/run."""
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "run" / "helper.sock"))
    with FakeHelper(tmp_path / "run") as first, spawned("watch", "--logs") as process:
        assert following(process)["seq"] == 1
        first.publish(Stats(1, 2))
        assert following(process) == {
            "type": "event",
            "seq": 2,
            "body": {"type": "stats", "rx_bytes": 1, "tx_bytes": 2, "last_handshake": None, "endpoint": None},
        }
        first.logs.add(LogLine(1.0, "info", "x", "hello"))
        assert following(process)["message"] == "hello"
        first.stop()
        yield process


def following(process: subprocess.Popen[str]) -> Any:
    """The next line."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def test_it_survives_a_restart_of_the_helper(running: subprocess.Popen[str], tmp_path: Path) -> None:
    """Snapshot, events, log lines; unreachable while the helper is gone; then a new snapshot."""
    assert following(running)["type"] == "unreachable"
    with FakeHelper(tmp_path / "run"):
        while (message := following(running))["type"] == "unreachable":
            pass
        assert message["type"] == "snapshot"


def test_without_a_helper_it_does_not_begin(slopn: Slopn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 3, instead of waiting for ever."""
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "none"))
    outcome = slopn("watch")
    assert (outcome.status, outcome.out) == (3, "")
    assert "isn't running" in outcome.err


def test_another_version_ends_it(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 1, with the sentence."""
    helper.show(Snapshot(protocol=(9, 0)))
    outcome = slopn("watch")
    assert outcome.status == 1
    assert "version 9" in outcome.err


def test_who_may_not_gets_status_four(helper: FakeHelper, slopn: Slopn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The helper's refusal ends it."""
    monkeypatch.setattr("slopn_helper.ipc.server.refusal", lambda *_: Refused(ErrorKind.NOT_PERMITTED, "not you"))
    outcome = slopn("watch", "--json")
    assert outcome.status == 4
    assert Watch() not in helper.commands
