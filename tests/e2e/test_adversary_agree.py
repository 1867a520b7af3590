"""`wg show` and `slopn status` say the same where the tunnel isn't as the profile has it."""

from __future__ import annotations

import json

from support.gateway import CLIENT4
from support.scene import Scene
from support.topology import GATEWAY4, GATEWAY6, GATEWAY_PORT
from support.until import until

MOVED = GATEWAY_PORT + 7


def test_a_gateway_that_moves(scene: Scene) -> None:
    """Without a kill switch the session roams with the gateway; status tells where to, as wg does, then forgets it."""
    scene.setting("kill_switch", "off")
    scene.connect()
    gateway = scene.gateway.namespace

    def followed() -> bool:
        # A datagram of the gateway's through the tunnel tells the client where it is now.
        gateway.run(f"ping -c1 -W1 {CLIENT4}", check=False)
        return scene.wg().endpoint == f"{GATEWAY4}:{MOVED}"

    gateway.run(f"wg set wg0 listen-port {MOVED}")
    try:
        until(followed, 15.0, "the engine follows")
        assert scene.helper.status()["endpoint"] == scene.wg().endpoint == f"{GATEWAY4}:{MOVED}"
    finally:
        gateway.run(f"wg set wg0 listen-port {GATEWAY_PORT}")
    scene.slopn("disconnect", "--wait", "20")
    assert scene.helper.status()["endpoint"] is None
    scene.connect()
    assert scene.helper.status()["endpoint"] == scene.wg().endpoint == f"{GATEWAY4}:{GATEWAY_PORT}"


def test_another_profile_has_its_own_endpoint(scene: Scene) -> None:
    """What is said right after a change of profile is where the new tunnel goes, not the old one."""
    scene.add_profile(scene.gateway.config(endpoint=f"[{GATEWAY6}]:{GATEWAY_PORT}"), "six")
    scene.connect()
    for name, endpoint in (("six", f"[{GATEWAY6}]:{GATEWAY_PORT}"), ("lab", f"{GATEWAY4}:{GATEWAY_PORT}")):
        done = scene.slopn("connect", name, "--wait", "20", "--json")
        assert json.loads(done.stdout)["endpoint"] == scene.wg().endpoint == endpoint
