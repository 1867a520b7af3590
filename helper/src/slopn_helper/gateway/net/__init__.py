"""The packets of devices: what they may reach, and as whom. `docs/gateway-net.md` gives the reason for each rule."""

from __future__ import annotations


class GatewayNetError(Exception):
    """The policy could not be put in force; the message says what is in force instead."""
