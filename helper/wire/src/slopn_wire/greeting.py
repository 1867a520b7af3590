"""The first thing that the helper says on a connection, in plain; then TLS begins.

It is no secret and needs no protection: the client knows from the operating system that root is at the other end.
"""

from __future__ import annotations

from msgspec import Struct

from slopn_wire.events import PROTOCOL, Refused

HOST = "helper.slopn"
"""The name in the helper's certificate."""
MAX_GREETING = 1 << 14
"""Largest greeting, in bytes, without its length."""


class Greeting(Struct, frozen=True, tag="greeting"):
    """One frame, from the helper, before TLS."""

    protocol: tuple[int, int] = PROTOCOL
    version: str = ""
    authority: str = ""
    """The helper's certificate authority, PEM: what its certificate and those of paired front ends are signed by."""
    refused: Refused | None = None
    """Not None: the helper won't talk to this user now, and hangs up."""
