from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from slopn_wire.events import Snapshot, Stats
from support.fake_helper import FakeHelper
from support.slopn import Slopn, spawned


def following(process: subprocess.Popen[str]) -> Any:
    """The next line."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def test_events_follow_and_a_restart_is_survived(helper: FakeHelper, tmp_path: Path) -> None:
    """Snapshot, events; unreachable while the helper is gone; then a new snapshot."""
    with spawned("watch") as running:
        assert following(running)["seq"] == 1
        helper.publish(Stats(1, 2))
        assert following(running) == {
            "type": "event",
            "seq": 2,
            "body": {
                "type": "stats",
                "rx_bytes": 1,
                "tx_bytes": 2,
                "last_handshake": None,
                "endpoint": None,
                "latency": None,
            },
        }
        helper.stop()
        gone = following(running)
        assert (gone["type"], sorted(gone)) == ("unreachable", ["reason", "retry_in", "type"])
        with FakeHelper(tmp_path / "run"):
            while (message := following(running))["type"] == "unreachable":
                pass
            assert message["type"] == "snapshot"


def test_an_earlier_watch_goes_on(helper: FakeHelper) -> None:
    """The events after number N, without a snapshot; with another epoch it begins anew."""
    epoch = helper.run(helper.hub.snapshot).epoch
    helper.publish(Stats(1, 2), Stats(3, 4))
    with spawned("watch", "--after", "2", "--epoch", epoch) as running:
        assert following(running) == {"type": "resumed", "seq": 2}
        assert following(running)["seq"] == 3
    with spawned("watch", "--after", "2", "--epoch", "gone") as running:
        assert following(running)["type"] == "snapshot"


@pytest.mark.parametrize(
    "arguments", [["--after", "2"], ["--epoch", "x"], ["--after", "-1", "--epoch", "x"], ["--after", "x"]]
)
def test_half_a_place_is_wrong_usage(slopn: Slopn, arguments: list[str]) -> None:
    """Status 2: a number says nothing without the run that it belongs to."""
    assert slopn("watch", *arguments).status == 2


def test_without_a_helper_it_does_not_begin(slopn: Slopn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 3, instead of waiting for ever."""
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "none"))
    outcome = slopn("watch")
    assert (outcome.status, outcome.out) == (3, "")
    assert "isn't running" in outcome.err


def test_another_version_ends_it(helper: FakeHelper, slopn: Slopn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1, with the sentence."""
    monkeypatch.setattr("slopn_app.link.PROTOCOL_MAJOR", 9)
    outcome = slopn("watch")
    assert outcome.status == 1
    assert "version" in outcome.err
    assert isinstance(helper.run(helper.hub.snapshot), Snapshot)
