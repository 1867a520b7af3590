"""The helper is killed after each of its effects: nothing leaks from the first closing policy to the opening one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest

from slopn_helper.tunnel.effects import Effect
from support.capture import Capture
from support.fingerprint import differences, fingerprint
from support.gateway import Gateway
from support.generator import Generator
from support.helper_process import HelperProcess
from support.topology import Lab
from support.until import Expired, until

PROBES = 150
"""Packets that the generator tries while the helper is dead."""
MOST_EFFECTS = 40


class KillingHelper(HelperProcess):
    """The real helper, which dies after its effect number `after`."""

    def __init__(self, lab: Lab, after: int) -> None:
        super().__init__(lab.client, env={"KILL_AFTER": str(after)})
        self._env["KILL_DIR"] = str(self.dir)
        self.after = after

    def command(self, *arguments: str) -> list[str]:
        """Only the daemon dies; `restore` is the real one."""
        argv = super().command(*arguments)
        if arguments[0] != "client":
            return argv
        return [sys.executable, str(Path(__file__).parents[1] / "support" / "killing_helper.py"), *argv[1:]]

    def effects(self) -> list[str]:
        """What it has carried out so far."""
        path = self.dir / "effects"
        return path.read_text(encoding="ascii").split() if path.exists() else []

    def at_gate(self, name: str) -> bool:
        """Whether it waits there."""
        return (self.dir / name).exists() and not (self.dir / f"{name}.go").exists()

    def let_go(self, name: str) -> None:
        """Open the gate."""
        (self.dir / f"{name}.go").touch()


@dataclass
class Scene:
    """One lab for all kills, with somebody who keeps trying to get out."""

    lab: Lab
    gateway: Gateway
    generator: Generator
    capture: Capture

    def probed(self) -> None:
        """Return once the generator has tried `PROBES` more packets, and all that got out was counted."""
        start = self.generator.tried_so_far()
        until(lambda: self.generator.tried_so_far() >= start + PROBES, 20, "the generator tries")
        assert self.generator.running
        self.capture.settle()


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Two uplinks would only double the frames: one."""
    with (
        Lab(uplinks=("eth0",)) as lab,
        Gateway(lab) as gateway,
        lab.capture() as capture,
        Generator(lab.client, lab.uplinks, seconds=400) as generator,
    ):
        yield Scene(lab, gateway, generator, capture)


def _live_until_killed(helper: KillingHelper, scene: Scene) -> bool:
    """Start, connect, disconnect, until it dies. True: it closed the host before. Counting begins with the close."""
    helper.spawn()
    counting = False
    told: set[str] = set()

    def over() -> bool:
        nonlocal counting
        if helper.at_gate("closed"):
            scene.capture.settle()
            scene.capture.reset()
            counting = True
            helper.let_go("closed")
        if helper.at_gate("opens"):
            return True
        if helper.alive and helper.socket.exists():
            _drive(helper, scene, told)
        return not helper.alive

    until(over, 40, f"the helper is dead after effect {helper.after}, or about to open")
    return counting


def _drive(helper: KillingHelper, scene: Scene, told: set[str]) -> None:
    """The user's part. The helper may die at any moment, so no answer is expected."""
    if "import" not in told:
        imported = helper.cli("import", "-", "--name", "lab", input=scene.gateway.config())
        if imported.returncode == 0:
            told.add("import")
    elif "connect" not in told:
        if helper.cli("connect", "lab").returncode == 0:
            told.add("connect")
    elif "disconnect" not in told and "ConfigureHost" in helper.effects():
        shown = helper.cli("status", "--json")
        if '"connected"' in shown.stdout and helper.cli("disconnect").returncode == 0:
            told.add("disconnect")


@pytest.mark.leak
def test_a_kill_after_any_effect_leaks_nothing_and_can_be_undone(scene: Scene) -> None:
    """Each effect of the union is once the last one: 0 frames leak, and `restore` gives the fingerprint back."""
    before = fingerprint(scene.lab.client)
    scene.probed()
    assert scene.capture.reset().total > 0, "the capture must see leaks on an open host, or its zeros mean nothing"
    killed_after: set[str] = set()
    closed_kills = 0
    for after in range(MOST_EFFECTS):
        helper = KillingHelper(scene.lab, after)
        try:
            closed = _live_until_killed(helper, scene)
            finished = helper.at_gate("opens")
            if closed:
                if not finished:
                    scene.probed()
                tally = scene.capture.tally()
                assert tally.total == 0, f"after effect {after} {helper.effects()}: {tally}"
                closed_kills += 1
            if finished:
                killed_after |= _open_and_die(helper)
            else:
                assert helper.effects(), helper.tail()
                killed_after.add(helper.effects()[-1])
            restored = helper.restore()
            assert restored.returncode == 0, restored.stderr
            assert differences(before, fingerprint(scene.lab.client)) == [], helper.effects()
            if finished:
                break
        finally:
            helper.__exit__()
    else:
        pytest.fail("the helper never came to open the host")
    assert closed_kills >= 8
    assert killed_after == {effect.__name__ for effect in get_args(Effect)}, "an effect has no kill of its own"


def _open_and_die(helper: KillingHelper) -> set[str]:
    """All is undone but the block: now it may open."""
    helper.let_go("opens")
    try:
        until(lambda: not helper.alive, 5, "the helper dies after opening")
    except Expired:
        helper.kill()
    return {helper.effects()[-1]}
