"""Commands faster than they can be carried out, from several users at once: the last word counts."""

from __future__ import annotations

import random
import subprocess

from support.fingerprint import differences, fingerprint
from support.helper_process import BIN
from support.scene import Scene
from support.topology import ETH0, GATEWAY4

COMMANDS = (
    ("connect", "lab"),
    ("disconnect",),
    ("reconnect",),
    ("settings", "set", "kill_switch", "off"),
    ("settings", "set", "kill_switch", "on"),
    ("settings", "set", "kill_switch", "always"),
    ("settings", "set", "allow_lan", "yes"),
)
SEED = 51820


def test_the_last_word_counts(scene: Scene) -> None:
    """After a storm of commands a tunnel comes up when asked for, and the host is as before once it's taken down."""
    before = fingerprint(scene.lab.client)
    chosen = random.Random(SEED).choices(COMMANDS, k=24)
    env = {"SLOPN_SOCKET": str(scene.helper.socket)}
    storm = [
        scene.lab.client.popen(
            [str(BIN / "slopn"), *command], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for command in chosen
    ]
    for command, process in zip(chosen, storm, strict=True):
        _, errors = process.communicate(timeout=60)
        # A `reconnect` is refused while nothing is connected.
        assert process.returncode in {0, 2 if command == ("reconnect",) else 0}, f"{command}: {errors!r}"
    scene.setting("kill_switch", "on")
    scene.setting("allow_lan", "no")
    scene.connect()
    assert scene.visitor() == GATEWAY4
    scene.slopn("disconnect", "--wait", "20")
    assert scene.visitor() == ETH0.client4
    assert differences(before, fingerprint(scene.lab.client)) == []
