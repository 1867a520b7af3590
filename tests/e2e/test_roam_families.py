"""From a network with IPv4 alone to one with IPv6 alone and back: the gateway is found by its other address."""

from __future__ import annotations

from support.scene import Scene
from support.tcp_echo import TcpEcho
from support.topology import ETH0, GATEWAY4, GATEWAY6, GATEWAY_NAME, GATEWAY_PORT, WLAN0
from support.until import until

UPLINKS = ("eth0", "wlan0")
_WITHIN = 30.0
_ONLY4 = f"""
    addr replace {ETH0.client4}/24 dev eth0
    route replace default via {ETH0.router4} dev eth0 metric {ETH0.metric}
"""
_ONLY6 = f"""
    addr replace {WLAN0.client6}/64 dev wlan0 nodad
    route replace default via {WLAN0.router6} dev wlan0 metric {WLAN0.metric}
"""


def flush(scene: Scene) -> None:
    """No network at all."""
    for device in UPLINKS:
        scene.lab.client.ip(f"""
            route flush dev {device} proto boot
            -6 route flush dev {device} proto boot
            addr flush dev {device} scope global
        """)


def test_a_tunnel_goes_over_to_the_other_family(scene: Scene) -> None:
    """The endpoint's name has an address of each family: whichever the network has is used, and connections survive."""
    scene.add_profile(scene.gateway.config(endpoint=f"{GATEWAY_NAME}:{GATEWAY_PORT}"), "named")
    flush(scene)
    try:
        scene.lab.client.ip(_ONLY4)
        scene.connect("named")
        with TcpEcho(scene.lab) as echo:
            echo.say(_WITHIN)
            until(lambda: _at(scene, ETH0.client4), _WITHIN, "the gateway sees it at its IPv4 address")
            for batch, address, gateway in ((_ONLY6, f"[{WLAN0.client6}]", GATEWAY6), (_ONLY4, ETH0.client4, GATEWAY4)):
                flush(scene)
                scene.lab.client.ip(batch)
                echo.say(_WITHIN)
                until(lambda to=address: _at(scene, to), _WITHIN, f"the gateway sees it at {address}")  # type: ignore[misc]
                assert scene.wg().endpoint.strip("[").startswith(gateway)
        assert scene.wait_state("connected")["profile"] == "named"
        assert scene.visitor() == GATEWAY4
    finally:
        for uplink in scene.lab.uplinks:
            scene.lab.client.ip(uplink.configure())


def _at(scene: Scene, address: str) -> bool:
    endpoint = scene.gateway.client().endpoint
    return endpoint is not None and endpoint.startswith(f"{address}:")
