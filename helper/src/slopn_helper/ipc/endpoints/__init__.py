"""Where clients come in: one module a mechanism. An endpoint says who is at the other end; it decides nothing."""

from __future__ import annotations

import asyncio
import ssl
from typing import Protocol

from slopn_helper.ipc.authz import Credentials


class Connection(Protocol):
    """An accepted client, before a word was said."""

    @property
    def peer(self) -> Credentials:
        """Who it is, by the operating system."""
        ...

    def say(self, data: bytes) -> None:
        """Send the greeting, in plain. Never waits: a few kilobytes always fit. Raises `OSError`."""
        ...

    async def secure(self, context: ssl.SSLContext, within: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Be the server of a TLS handshake that may take `within` seconds.

        Raises `OSError` (`ssl.SSLError` is one) and `TimeoutError`; the connection is closed then.
        """
        ...

    def close(self) -> None:
        """Hang up; what was said still arrives. More than once does no harm."""
        ...


class Endpoint(Protocol):
    """Something to accept clients from."""

    async def accept(self) -> Connection:
        """Wait for the next client. Raises `OSError` when that one client couldn't be taken; the endpoint goes on."""
        ...

    def close(self) -> None:
        """Take no more clients and leave nothing behind. More than once does no harm."""
        ...
