"""Where the helper listens."""

from __future__ import annotations

from collections.abc import Mapping

from slopn_app.bootstrap import ENDPOINT

DEFAULT = ENDPOINT
VARIABLE = "SLOPN_SOCKET"


def socket_path(environ: Mapping[str, str]) -> str:
    """Path of the helper's socket: $SLOPN_SOCKET, else the place where the packages put it."""
    return environ.get(VARIABLE) or DEFAULT
