"""Settings that are changed by many at once."""

from __future__ import annotations

import subprocess

from support.helper_process import BIN
from support.scene import Scene


def test_no_change_is_lost(scene: Scene) -> None:
    """Whoever was told that a setting is changed finds it so, whatever was set beside it at that moment."""
    wanted = {"kill_switch": "always", "allow_lan": "yes", "resolvers": "198.51.100.53", "dns_mechanism": "resolv_conf"}
    for _ in range(3):
        for key, value in (
            ("kill_switch", "on"),
            ("allow_lan", "no"),
            ("resolvers", "default"),
            ("dns_mechanism", "auto"),
        ):
            scene.setting(key, value)
        env = scene.helper.front_end
        several = [
            scene.lab.client.popen([str(BIN / "slopn"), "settings", "set", *each], env=env, stdout=subprocess.DEVNULL)
            for each in wanted.items()
        ]
        assert [process.wait(30) for process in several] == [0] * len(wanted)
        shown = scene.slopn("settings").stdout.split()
        assert dict(zip(shown[::2], shown[1::2], strict=True)).items() >= wanted.items()
