"""The real wg-quick beside a connected helper: it is named in the health list for as long as it is up."""

from __future__ import annotations

from pathlib import Path

from bench import engines
from bench.wg_quick import WgQuick
from support.gateway import Keys
from support.scene import Scene
from support.until import until

NAME = "home"
"""Nothing in it says whose it is: the rule tells."""


def told(scene: Scene) -> str:
    """What the health list says of other VPNs."""
    return "".join(one["text"] for one in scene.status()["warnings"] if one["code"] == "other_vpn")


def test_wg_quick_is_named_while_it_is_in_the_way(scene: Scene, tmp_path: Path) -> None:
    """It counts its table up beside ours, and puts its rules before ours."""
    client, quick, engine = scene.lab.client, WgQuick(tmp_path), engines.ours()
    keys = Keys.new()
    config = f"[Interface]\nPrivateKey = {keys.private}\nAddress = 10.66.0.2/32\n"
    quick.configure(client, NAME, f"{config}[Peer]\nPublicKey = {Keys.new().public}\nAllowedIPs = 0.0.0.0/0\n")
    scene.connect()
    assert not told(scene)
    quick.run(client, engine, "up", NAME)
    try:
        until(lambda: "wg-quick (IPv4 rule 32763 to table 51821" in told(scene), 30.0, "it is told")
    finally:
        quick.run(client, engine, "down", NAME)
    until(lambda: not told(scene), 30.0, "it is told no more")
