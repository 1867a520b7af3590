"""`wg show` and `slopn status` look at the same tunnel: they say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.gateway import CLIENT4, CLIENT6
from support.scene import Scene, WgDump
from support.topology import GATEWAY4, GATEWAY6, GATEWAY_PORT

FWMARK = 51820


def _read(scene: Scene) -> tuple[WgDump, dict[str, Any], WgDump]:
    """The status, and wg's answer before and after it: what flows meanwhile lies between the two."""
    before = scene.wg()
    status = scene.helper.status()
    return before, status, scene.wg()


def _compare(scene: Scene, endpoint: str) -> tuple[WgDump, dict[str, Any]]:
    before, status, after = _read(scene)
    assert after.public_key == scene.gateway.client_keys.public
    assert (after.peer_key, after.preshared) == (scene.gateway.keys.public, scene.gateway.preshared)
    assert after.endpoint == status["endpoint"] == endpoint
    assert after.fwmark == FWMARK
    assert before.rx_bytes <= status["rx_bytes"] <= after.rx_bytes
    assert before.tx_bytes <= status["tx_bytes"] <= after.tx_bytes
    assert before.handshake <= int(status["last_handshake"]) <= after.handshake
    assert _addresses(scene) == sorted(status["addresses"]) == sorted([f"{CLIENT4}/32", f"{CLIENT6}/128"])
    assert status["interface"] == "slopn0"
    return after, status


def _addresses(scene: Scene) -> list[str]:
    """As ip(8) has them on the interface."""
    links = json.loads(scene.lab.client.run("ip -j addr show dev slopn0").stdout)
    return sorted(f"{found['local']}/{found['prefixlen']}" for found in links[0]["addr_info"])


@pytest.mark.parametrize(
    ("host", "six"), [(GATEWAY4, False), (f"[{GATEWAY6}]", True)], ids=["IPv4 endpoint", "IPv6 endpoint"]
)
def test_wg_and_status_agree(scene: Scene, host: str, *, six: bool) -> None:
    """Keys, endpoint, addresses, mark, counters and handshake, right after connecting and after traffic."""
    endpoint = f"{host}:{GATEWAY_PORT}"
    scene.add_profile(scene.gateway.config(endpoint=endpoint))
    scene.connect()
    first, _ = _compare(scene, endpoint)
    assert first.handshake > 0
    for family in (False, True):
        assert scene.visitor(six=family) == (GATEWAY6 if family else GATEWAY4)
    scene.lab.client.run(
        ["curl", "-sS", "-m", "20", "-o", "/dev/null", f"http://{'[2001:db8:ffff::1]' if six else '198.51.100.1'}/file"]
    )
    second, status = _compare(scene, endpoint)
    assert second.rx_bytes - first.rx_bytes > 50_000_000
    assert status["rx_bytes"] > 50_000_000


def test_a_disconnected_tunnel_has_no_interface_and_no_counters(scene: Scene) -> None:
    """What was true of the last tunnel isn't told of the next one."""
    scene.connect()
    assert scene.visitor() == GATEWAY4
    scene.slopn("disconnect", "--wait", "20")
    status = scene.helper.status()
    assert scene.lab.client.run("wg show interfaces").stdout.split() == []
    assert (status["interface"], status["addresses"], status["endpoint"], status["dns"]) == (None, [], None, [])
    assert (status["rx_bytes"], status["tx_bytes"], status["last_handshake"]) == (0, 0, None)
