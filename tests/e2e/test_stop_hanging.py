"""A helper that is told to end and can't: it says where it stands, dies, and leaves the block and the journal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slopn_helper import watchdog
from support.fingerprint import differences, fingerprint
from support.helper_process import HelperProcess
from support.scene import Scene
from support.topology import ETH0


class HangingHelper(HelperProcess):
    """The real helper, whose end hangs."""

    def command(self, *arguments: str) -> list[str]:
        """Only the daemon hangs; `restore` is the real one."""
        argv = super().command(*arguments)
        if arguments[0] != "client":
            return argv
        return [sys.executable, str(Path(__file__).parents[1] / "support" / "hanging_helper.py"), *argv[1:]]


@pytest.mark.leak
def test_an_end_that_hangs(scene: Scene) -> None:
    """The watchdog prints all stacks and ends it: nothing leaks, `restore` gives the host back."""
    before = fingerprint(scene.lab.client)
    state_dir = scene.helper.state_dir
    with scene.somebody_sending() as generator:
        assert scene.leaks(generator).total > 0, "the capture must see leaks on an open host"
        scene.connect()
        scene.capture.reset()
        assert scene.helper.terminate() == 0
        helper = HangingHelper(scene.lab.client, state_dir=state_dir, env={"HANG_WITHIN": "2"})
        try:
            helper.start()
            helper.wait_state("connected")
            assert helper.terminate(timeout=20.0) == watchdog.HUNG
            said = helper.log()
        finally:
            helper.__exit__()
        tally = scene.leaks(generator)
        assert tally.total == 0, f"{tally} {tally.samples}"
    assert "let_go_of_a_lock_that_nobody_gives_back" in said
    assert "didn't end within 2 s" in said
    assert scene.visitor(seconds=1) is None
    assert scene.helper.restore().returncode == 0
    assert scene.visitor() == ETH0.client4
    assert differences(before, fingerprint(scene.lab.client)) == []
