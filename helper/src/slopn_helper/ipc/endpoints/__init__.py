"""Where clients come in: one module a mechanism. An endpoint says who is at the other end; it decides nothing."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

from slopn_helper.ipc.authz import Credentials


class Connection(NamedTuple):
    """An accepted client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: Credentials


class Endpoint(Protocol):
    """Something to accept clients from."""

    async def accept(self) -> Connection:
        """Wait for the next client. Raises `OSError` when that one client couldn't be taken; the endpoint goes on."""
        ...

    def close(self) -> None:
        """Take no more clients and leave nothing behind. More than once does no harm."""
        ...
