"""The path to the gateway gets narrower and wider; `slopn` shows it, and the tunnel's device follows."""

from __future__ import annotations

from support.scene import Scene
from support.until import until

_SILENT = """
table inet silent {
  chain output {
    type filter hook output priority 0
    icmp type destination-unreachable drop
    icmpv6 type packet-too-big drop
  }
}
"""


def _shown(scene: Scene, path: int, inside: int) -> bool:
    # Something passes: an idle tunnel looks for nothing.
    scene.lab.client.run("ping -c20 -i0.005 -W1 -s1000 10.9.0.1", check=False)
    device = scene.lab.client.run("ip -o link show slopn0").stdout
    return scene.status()["path_mtu"] == path and f"mtu {inside} " in device


def test_the_tunnel_follows_the_path(scene: Scene) -> None:
    """Without a word of ICMP; below what IPv6 needs it warns, and stays connected."""
    scene.lab.router.nft(_SILENT)
    scene.add_profile(scene.gateway.config())
    scene.connect()
    until(lambda: _shown(scene, 1500, 1420), 30, "the whole link is found")
    scene.lab.router.ip("link set r-gw mtu 1400")
    until(lambda: _shown(scene, 1400, 1328), 60, "the smaller path is found, and the device follows")
    assert not any(one["code"] == "path_narrow" for one in scene.status()["warnings"])
    scene.lab.router.ip("link set r-gw mtu 1300")
    until(lambda: _shown(scene, 1300, 1280), 60, "what IPv6 needs is left")
    until(lambda: any(one["code"] == "path_narrow" for one in scene.status()["warnings"]), 30, "the warning")
    assert scene.status()["state"] == "connected"
    assert scene.visitor(six=True) is not None
