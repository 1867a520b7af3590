"""The enrolment's port: takes connections, does TLS's handshake, and hands what speaks TLS 1.3 to HTTP.

uvicorn's own server isn't used. It tells nobody whose handshake failed, so that scanners couldn't be named; it takes
every connection there is, and a half-open one holds its buffers for a minute. `loop.connect_accepted_socket` is asyncio's
own way for sockets that somebody else has accepted: it raises what the handshake failed by, where we know who it was.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import traceback
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address

import h11
from uvicorn.config import Config
from uvicorn.server import ServerState

from slopn_helper.gateway.api.admission import Shares
from slopn_helper.gateway.api.gate import Blame
from slopn_helper.gateway.api.handshake import strange
from slopn_helper.gateway.api.http import Guarded, Patience
from slopn_helper.gateway.api.problems import Refused
from slopn_helper.gateway.api.seats import Seats
from slopn_helper.gateway.bans.sources import source_of
from slopn_wire.profile import IPAddress

_log = logging.getLogger(__name__)
_SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_BACKLOG = 256
_AT_ONCE = 32
_PAUSE = 0.2
_BUFFER = 32 << 10
"""Bytes that TLS reads into, for each connection: two records, and asyncio's default is eight times that."""

Stranger = Callable[[IPAddress, int, str], None]
"""Hears who spoke something else than TLS 1.3: address, port, and what in OpenSSL's words."""


class ListenError(Exception):
    """The port can't be had. The message says which and why."""


class _Visit:
    """One connection, from its acceptance on: tells the seats what `Guarded` tells it."""

    def __init__(self, door: Door, seat: int, connection: socket.socket, address: IPAddress, port: int) -> None:
        self._door = door
        self.seat = seat
        self.socket = connection
        self.address = address
        self.port = port
        self.protocol: Guarded | None = None

    def waits(self) -> None:
        self._door.seats.wait(self.seat)

    def works(self) -> None:
        self._door.seats.work(self.seat)

    def left(self) -> None:
        self.protocol = None
        self._door.left(self)

    def malformed(self, refused: Refused) -> None:
        self._door.blame((str(self.address), self.port), refused)

    def end(self) -> None:
        """Cut it off."""
        if self.protocol is not None and self.protocol.transport is not None:
            # One that was closed twice has let go of its TLS already (asyncio.sslproto), and can't be aborted any more.
            with suppress(AttributeError):
                self.protocol.transport.abort()
        else:
            # Its handshake sees the end of what it reads.
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)


class Door:
    """All connections of the port."""

    def __init__(
        self,
        tls: ssl.SSLContext,
        http: Config,
        seats: Seats,
        visits: Shares,
        patience: Patience,
        stranger: Stranger,
        blame: Blame,
    ) -> None:
        self.tls = tls
        """May be replaced: it counts for connections from then on."""
        self.seats = seats
        self.blame = blame
        self._shares = visits
        self._http = http
        self._patience = patience
        self._stranger = stranger
        self._state = ServerState()
        self._visits: dict[int, _Visit] = {}

    async def run(self, listeners: Sequence[socket.socket]) -> None:
        """Take connections until cancelled; what is in hand then is answered, if it doesn't take long."""
        loop = asyncio.get_running_loop()
        SSLProtocol.max_size = _BUFFER
        try:
            async with asyncio.TaskGroup() as handshakes:
                for listener in listeners:
                    self._listen(listener, handshakes)
                try:
                    await loop.create_future()
                finally:
                    for listener in listeners:
                        loop.remove_reader(listener)
        finally:
            await self._end()

    def left(self, visit: _Visit) -> None:
        """A connection is closed. Once more is no error."""
        self.seats.leave(visit.seat)
        self._visits.pop(visit.seat, None)

    def _listen(self, listener: socket.socket, handshakes: asyncio.TaskGroup) -> None:
        if listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listener, self._ready, listener, handshakes)

    def _ready(self, listener: socket.socket, handshakes: asyncio.TaskGroup) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, peer = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _SHORT:
                    # To ask again at once would do nothing else any more.
                    loop = asyncio.get_running_loop()
                    loop.remove_reader(listener)
                    loop.call_later(_PAUSE, self._listen, listener, handshakes)
                    return
                continue  # of this one connection's, see accept(2)
            self._take(connection, ip_address(peer[0]), peer[1], handshakes)

    def _take(self, connection: socket.socket, address: IPAddress, port: int, handshakes: asyncio.TaskGroup) -> None:
        source = source_of(address)
        if self._shares.take(source, asyncio.get_running_loop().time()) is not None:
            connection.close()
            return
        place = self.seats.take(source)
        if place.leaves is not None and (other := self._visits.pop(place.leaves, None)) is not None:
            other.end()
        if place.seat is None:
            connection.close()
            return
        connection.setblocking(False)
        visit = _Visit(self, place.seat, connection, address, port)
        self._visits[place.seat] = visit
        handshakes.create_task(self._meet(visit))

    async def _meet(self, visit: _Visit) -> None:
        def protocol() -> Guarded:
            peer = (str(visit.address), visit.port)
            visit.protocol = Guarded(self._http, self._state, self._patience, visit, peer)
            return visit.protocol

        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                protocol,
                visit.socket,
                ssl=self.tls,
                ssl_handshake_timeout=self._patience.handshake,
                ssl_shutdown_timeout=self._patience.closing,
            )
        except OSError as error:
            self.left(visit)
            if (said := strange(error)) is not None:
                self._stranger(visit.address, visit.port, said)
            # asyncio's frames hold the future that holds the error: a circle that keeps the TLS buffers until the collector
            # comes by, and under a flood of these that is hundreds of megabytes later.
            traceback.clear_frames(error.__traceback__)
        except Exception:  # noqa: BLE001 - one connection's trouble is no other's
            self.left(visit)
            _log.exception("a connection couldn't be taken")

    async def _end(self) -> None:
        for visit in list(self._visits.values()):
            if visit.protocol is None or visit.protocol.transport is None:
                visit.end()
            else:
                with suppress(h11.LocalProtocolError):
                    visit.protocol.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience.closing):
                while self._state.tasks:
                    await asyncio.wait(set(self._state.tasks))
        for task in set(self._state.tasks):
            task.cancel()
        for visit in list(self._visits.values()):
            visit.end()
        if self._state.tasks:
            await asyncio.wait(set(self._state.tasks))


def listen(addresses: Sequence[IPAddress], port: int) -> list[socket.socket]:
    """Sockets for these addresses, or all of this host's; port 0: one that is free. Raises `ListenError`."""
    wanted = [str(address) for address in addresses] or ["0.0.0.0", "::"]
    found: list[socket.socket] = []
    try:
        for address in wanted:
            try:
                found.append(_socket(address, found[0].getsockname()[1] if found else port))
            except OSError as error:
                # A host without IPv6 has no `::`, and one with it alone no `0.0.0.0`.
                if not addresses and error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                    continue
                raise ListenError(
                    f"The enrolment can't listen on {address}, TCP port {port}: {error.strerror or error}."
                ) from None
    except BaseException:
        for listener in found:
            listener.close()
        raise
    if not found:
        raise ListenError("The enrolment can't listen: this host has neither IPv4 nor IPv6.")
    return found


def _socket(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
