"""What a running gateway says of itself, made up for tests of those who show it."""

from __future__ import annotations

import time
from ipaddress import ip_address

from slopn_helper.gateway.status import GatewayStatus, PeerStatus, PoolStatus, Trouble
from slopn_wire.profile import Endpoint


def peer(device: str, *, name: str = "", rx: int = 0, tx: int = 0, handshake: float | None = None) -> PeerStatus:
    """A device."""
    endpoint = None if handshake is None else Endpoint("198.51.100.7", 40000)
    return PeerStatus(device, name or device, (ip_address("10.0.0.2"),), endpoint, handshake, rx, tx)


def status(
    *peers: PeerStatus, serving: bool = True, enrolling: bool = True, trouble: tuple[Trouble, ...] = ()
) -> GatewayStatus:
    """A gateway with these devices, two pools, and some packets refused."""
    return GatewayStatus(
        version="1.2.3",
        since=time.time() - 3700,
        id="gw1",
        endpoint=Endpoint("vpn.example.org", 51820),
        public_key="A" * 43 + "=",
        interface="slopngw0",
        peers=peers,
        pools=(PoolStatus("v4", len(peers), 253), PoolStatus("v6", len(peers), 2**64 - 3)),
        refused_packets={"spoofed": 3, "private": 0},
        bans=2,
        trouble=trouble,
        serving=serving,
        enrolling=enrolling,
    )
