"""A fresh preshared key for WireGuard by ML-KEM-768, agreed inside the tunnel: docs/decisions/0008.

`client.Client` and `gateway.Gateway` are the two ends, without I/O: they are told of datagrams, handshakes and time, and
give `outputs`. `ends.End` drives one of them over a socket and an engine.
"""

from __future__ import annotations

ALGORITHM = "ML-KEM-768"
"""As `status` names it."""

PORT = 17768
"""UDP, of both ends, at their addresses in the tunnel; reachable through the tunnel alone."""

INTERVAL = 110.0
"""Seconds from one key to the next: before WireGuard would renew the session by itself (REKEY_AFTER_TIME, 120 s)."""
