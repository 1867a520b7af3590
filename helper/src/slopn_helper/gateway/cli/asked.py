"""The running gateway, asked over the administrator's socket."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

import msgspec

from slopn_helper.gateway import cli
from slopn_helper.gateway.status import GatewayStatus
from slopn_wire import codec

WITHIN = 10.0
"""Seconds for an answer."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("gateway", timeout=WITHIN)
        self._path = path

    def connect(self) -> None:
        """Connect to the path instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def status(path: Path) -> GatewayStatus:
    """What the gateway says of itself. Raises `CliError` if none runs, or it can't say."""
    connection = _Connection(path)
    try:
        connection.request("GET", "/status")
        answer = connection.getresponse()
        body = answer.read()
    except (FileNotFoundError, ConnectionRefusedError):
        raise cli.CliError(
            "The gateway isn't running: `systemctl start slopn-gateway`; `journalctl -u slopn-gateway` says why it ended."
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise cli.CliError(f"The gateway doesn't answer at {path}: {error}.") from None
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise cli.CliError("The gateway can't say how it is: `journalctl -u slopn-gateway` says why.")
    try:
        return codec.decode(body, GatewayStatus)
    except msgspec.DecodeError as error:
        raise cli.CliError(f"The gateway's answer isn't of this version: restart it ({error}).") from None
