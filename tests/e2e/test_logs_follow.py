"""The log as it happens, at its most talkative and under full traffic: every line reaches who follows it, once."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gateway import TUNNEL4
from support.scene import Scene
from support.topology import GATEWAY4
from support.until import until

SLOPN = Path(sys.executable).parent / "slopn"
FULL = 50 << 20
"""Bytes that must have gone through the tunnel before the traffic counts as such."""
RATE = "50M"
"""Bits a second of each stream: the capture must be able to follow on a busy machine, or it proves nothing."""


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The module's lab, with a home of its own for the front ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("home")))
        with Scene() as scene:
            yield scene


class Follower:
    """`slopn logs -f` in a process of its own, what it has printed in a file."""

    def __init__(self, scene: Scene, path: Path, *arguments: str) -> None:
        self._path = path
        with path.open("wb") as out:
            self.process = scene.lab.client.popen(
                [str(SLOPN), "logs", "-f", "--json", *arguments],
                env=scene.helper.front_end,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def lines(self) -> list[dict[str, Any]]:
        """The whole ones so far; those that aren't JSON are words to the user."""
        printed = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in printed if line.startswith("{") and line.endswith("\n")]

    def wait_for(self, text: str) -> None:
        """Return once a line with this in it is there."""
        until(lambda: any(text in line.get("message", "") for line in self.lines()), 20, f"{text!r} is printed")


@contextlib.contextmanager
def following(scene: Scene, path: Path, *arguments: str) -> Iterator[Follower]:
    """Until the block ends."""
    follower = Follower(scene, path, *arguments)
    try:
        yield follower
    finally:
        follower.process.kill()
        follower.process.wait()


@contextlib.contextmanager
def traffic(scene: Scene) -> Iterator[None]:
    """Four streams of TCP through the tunnel, as fast as the capture can follow; at the end as many bytes as count."""
    server = scene.lab.gateway.popen(["iperf3", "-s", "-B", TUNNEL4], stdout=subprocess.DEVNULL)
    listening = f"ss -Hltn src {TUNNEL4}:5201"
    until(lambda: bool(scene.lab.gateway.run(listening).stdout), 10, "iperf3 listens")
    asked = ["iperf3", "-c", TUNNEL4, "-t", "120", "-P", "4", "-b", RATE]
    client = scene.lab.client.popen(asked, stdout=subprocess.DEVNULL)
    before = scene.wg().tx_bytes
    try:
        yield
        until(lambda: scene.wg().tx_bytes - before > FULL, 60, "the tunnel carries full traffic")
        assert client.poll() is None, "the traffic went on to the end"
    finally:
        for process in (client, server):
            process.kill()
            process.wait()


def test_every_number_is_there_under_full_traffic(scene: Scene, tmp_path: Path) -> None:
    """From the first line of the helper to the last, at debug level, while packets fly and clients come and go."""
    scene.connect()
    with traffic(scene), following(scene, tmp_path / "out") as follower:
        for value in ("yes", "no") * 5:
            scene.slopn("settings", "set", "allow_lan", value)
            scene.status()
        # The tunnel is made anew under the traffic, its streams with it: sessions, routes and rules are all told.
        scene.lab.client.ip("link set eth0 mtu 1400\nlink set eth0 mtu 1500")
        scene.slopn("logs", "--text", "the last line of this test")
        last = json.loads(scene.slopn("logs", "--json").stdout.splitlines()[-1])["number"]
        until(lambda: bool(follower.lines()) and follower.lines()[-1].get("number", 0) >= last, 20, "all is printed")
    lines = follower.lines()
    assert [line for line in lines if "missed" in line] == []
    numbers = [line["number"] for line in lines]
    assert numbers == list(range(1, numbers[-1] + 1))
    assert len(numbers) >= last > 50
    assert {"debug", "info"} <= {line["level"] for line in lines}
    assert {"engine", "tunnel.driver", "control"} <= {line["component"] for line in lines}
    assert json.loads(scene.slopn("logs", "--json").stdout.splitlines()[0]) == lines[0]


def test_lines_are_filtered_in_the_helper(scene: Scene, tmp_path: Path) -> None:
    """By level, component and text; those that are left out leave gaps in the numbers, and count as nothing missed."""
    wanted = ("--level", "info", "--component", "tunnel", "--text", "CONNECTED to lab")
    with following(scene, tmp_path / "out", *wanted) as follower:
        scene.connect()
        follower.wait_for("connected to lab")
        scene.slopn("reconnect", "--wait", "20")
        until(lambda: len([line for line in follower.lines() if "connected to" in line["message"]]) >= 2, 20, "again")
    lines = follower.lines()
    assert {(line["level"], line["component"]) for line in lines} == {("info", "tunnel.driver")}
    assert all("connected to lab" in line["message"] for line in lines)


def test_the_level_changes_while_one_follows(scene: Scene, tmp_path: Path) -> None:
    """The setting counts from the next line on."""
    scene.slopn("settings", "set", "log_level", "debug")
    with following(scene, tmp_path / "out") as follower:
        try:
            scene.connect()
            follower.wait_for("handshake sent to")
            scene.slopn("settings", "set", "log_level", "warning")
            quiet = follower.lines()[-1]["number"]
            scene.slopn("reconnect", "--wait", "20")
            scene.slopn("settings", "set", "log_level", "info")
            scene.slopn("reconnect", "--wait", "20")
            follower.wait_for("connected to lab")
            until(lambda: follower.lines()[-1]["number"] > quiet + 3, 20, "lines come again")
        finally:
            scene.slopn("settings", "set", "log_level", "debug")
    after = [line for line in follower.lines() if line["number"] > quiet]
    told = [line["message"] for line in after]
    # Told between the two changes: nothing. The command that changed it back is told before it counts.
    assert sum("disconnecting, then reconnect" in message for message in told) == 1
    assert [line for line in after if line["level"] == "debug" and "handshake sent" in line["message"]] == []


def test_following_goes_on_over_a_restart(scene: Scene, tmp_path: Path) -> None:
    """The numbers begin anew with the new helper, and none of them is missing either."""
    with following(scene, tmp_path / "out") as follower:
        until(lambda: len(follower.lines()) > 5, 20, "it follows")
        scene.helper.kill()
        scene.helper.start()
        until(lambda: [line["number"] for line in follower.lines()].count(1) == 2, 20, "the new helper's first line")
        scene.connect()
        follower.wait_for(f"connected to lab by slopn0, {GATEWAY4}")
    numbers = [line["number"] for line in follower.lines()]
    second = len(numbers) - numbers[::-1].index(1) - 1
    assert numbers[second:] == list(range(1, len(numbers) - second + 1))
