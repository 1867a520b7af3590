"""Where the helper listens."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT = "/run/slopn/helper.sock"
VARIABLE = "SLOPN_SOCKET"


def socket_path(environ: Mapping[str, str]) -> str:
    """Path of the helper's socket: $SLOPN_SOCKET, else the place where the packages put it."""
    return environ.get(VARIABLE) or DEFAULT
