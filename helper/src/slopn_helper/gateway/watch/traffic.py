"""What all devices together have sent and received, as figures that only grow. Pure but for the clock it is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from slopn_helper.gateway.status import PeerStatus

SESSION = 180.0
"""Seconds that a WireGuard session lasts (the whitepaper's Reject-After-Time): who is quiet for longer isn't connected."""


class Traffic:
    """Sums over devices that come, go and begin anew. What one moved since the last look before it went isn't in them."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.received = 0
        self.sent = 0
        self._seen: dict[str, tuple[int, int]] = {}

    def see(self, peers: Iterable[PeerStatus]) -> None:
        """Add what has come since the last look."""
        now: dict[str, tuple[int, int]] = {}
        for peer in peers:
            received, sent = self._seen.get(peer.device, (0, 0))
            # A counter that went back belongs to a peer that was made anew.
            self.received += peer.rx_bytes - (received if peer.rx_bytes >= received else 0)
            self.sent += peer.tx_bytes - (sent if peer.tx_bytes >= sent else 0)
            now[peer.device] = (peer.rx_bytes, peer.tx_bytes)
        self._seen = now


def is_connected(peer: PeerStatus, now: float) -> bool:
    """Whether a device has a session."""
    return peer.last_handshake is not None and now - peer.last_handshake < SESSION
