"""The protocol's datagrams on an asyncio socket; which socket, says `sockets`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from socket import socket
from typing import cast

from slopn_helper.psk.ends import End
from slopn_helper.psk.messages import LARGEST

_log = logging.getLogger(__name__)

WAITING = 64
"""Datagrams of all ends together that are kept while one is worked on; more are lost, as on the wire."""


class Channel(asyncio.DatagramProtocol):
    """Takes each datagram to its end, one after the other."""

    def __init__(self, find: Callable[[str, int], End | None]) -> None:
        """`find`: the end whose peer has that address and port in the tunnel; None: nobody's, it is dropped."""
        self._find = find
        self._queue: asyncio.Queue[tuple[End, bytes]] = asyncio.Queue(WAITING)
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, endpoint: socket) -> None:
        """Read and write by this socket, which is bound to the tunnel's device."""
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=endpoint)

    async def run(self) -> None:
        """Hand over what comes, until cancelled."""
        while True:
            end, data = await self._queue.get()
            try:
                await end.datagram(data)
            except Exception:  # noqa: BLE001 - told whole
                # What one peer sends must not end this program, and with it all others' tunnels.
                _log.exception("preshared keys: a datagram couldn't be worked on")

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        """One datagram; lost if there is no way."""
        if self._transport is not None:
            self._transport.sendto(data, to)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For asyncio."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """For asyncio. `addr` has two more parts for IPv6."""
        if len(data) > LARGEST or self._queue.full():
            return
        end = self._find(addr[0], addr[1])
        if end is not None:
            self._queue.put_nowait((end, data))

    def error_received(self, exc: Exception) -> None:
        """For asyncio: nobody listens there, or there is no way. The client sends again."""
        _log.debug("preshared keys: a datagram did not arrive: %s", exc)
