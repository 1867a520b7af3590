"""Networks beside the tunnel: what is set while connected holds at once, and names resolve all the same."""

from __future__ import annotations

from support.scene import Scene
from support.topology import ETH0, GATEWAY4, WEB4, WEB_NAME
from support.until import until


def test_a_network_is_left_out_while_connected(scene: Scene) -> None:
    """Traffic to it goes beside the tunnel from then on, and through it again when it is no longer left out."""
    scene.connect()
    assert scene.visitor() == GATEWAY4
    scene.setting("exclude", f"{WEB4}/32")
    until(lambda: scene.visitor() == ETH0.client4, 5.0, "the network is reached beside the tunnel")
    assert scene.status()["state"] == "connected"
    scene.setting("exclude", "none")
    until(lambda: scene.visitor() == GATEWAY4, 5.0, "the network is reached through the tunnel")


def test_the_tunnels_resolver_in_a_network_that_is_left_out(scene: Scene) -> None:
    """Its own questions go through the tunnel still."""
    scene.setting("exclude", "10.0.0.0/8")
    scene.connect()
    done = scene.lab.client.run(["getent", "ahosts", WEB_NAME], check=False)
    assert WEB4 in done.stdout, done
