"""Accepts clients: who it is by the system, whether there is room, the greeting, TLS, whose certificate; then it serves.

Nothing is read from a client before it is known who it is. Whatever one user does, it is charged to that user alone.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, cast

from msgspec.structs import replace

from slopn_helper import __version__
from slopn_helper.ipc import Hub
from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.conversation import Conversation, Timing
from slopn_helper.ipc.desk import Desk
from slopn_helper.ipc.endpoints import Connection, Endpoint
from slopn_helper.ipc.gatekeeper import Admission, Gatekeeper
from slopn_helper.ipc.limits import Caps, Limits
from slopn_helper.ipc.pki import Authority, presented
from slopn_helper.ipc.refusals import Why
from slopn_helper.ipc.visitor import Visitor, too_much
from slopn_helper.logs import LogStore
from slopn_helper.principal import Principal
from slopn_wire.codec import encode
from slopn_wire.devices import UserBasis
from slopn_wire.events import Refused
from slopn_wire.framing import frame
from slopn_wire.greeting import Greeting

_STRANGERS = -1  # one meter for all who may not use SloPN: there may be thousands of them (user namespaces)
_RECORD = 1 << 14  # bytes of the largest TLS record
_ACCEPT_PAUSE = 0.1  # out of descriptors: let clients go before trying again
_NOT_TLS = frozenset({"HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL", "WRONG_VERSION_NUMBER"})
_OLD_TLS = frozenset({"NO_PROTOCOLS_AVAILABLE", "UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW"})

_log = logging.getLogger(__name__)


class Server:
    """Serves the clients of one endpoint. The gatekeeper must run beside it. Raises `OSError` when TLS can't be set up.

    `user`: the name of the user with a uid, or the uid as text; for endpoints that don't say it. It must not block.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        authority: Authority,
        gatekeeper: Gatekeeper,
        hub: Hub,
        logs: LogStore,
        *,
        user: Callable[[int], str],
        caps: Caps | None = None,
        timing: Timing | None = None,
    ) -> None:
        # asyncio makes a buffer of this size for each connection, and one more for each read: 256 KiB at first.
        SSLProtocol.max_size = _RECORD
        self._endpoint = endpoint
        self._context = authority.server_context()
        self._greeting = frame(encode(Greeting(version=__version__, authority=authority.certificate)))
        self._gatekeeper = gatekeeper
        self._hub = hub
        self._logs = logs
        self._user = user
        self._timing = timing or Timing()
        self._limits = Limits(caps)
        self._accepted: set[Connection] = set()
        self._live: set[Conversation] = set()
        gatekeeper.on_change(self._judge_again)

    async def run(self) -> None:
        """Serve until cancelled; then every client's connection is closed and the endpoint is gone."""
        try:
            async with asyncio.TaskGroup() as tasks:
                desk = Desk(self._gatekeeper, self._hub, self._logs, tasks)
                tasks.create_task(self._look_again())
                while True:
                    try:
                        connection = await self._endpoint.accept()
                    except OSError as error:
                        _log.warning("a client could not be accepted: %s", error)
                        await asyncio.sleep(_ACCEPT_PAUSE)
                        continue
                    self._accepted.add(connection)
                    tasks.create_task(self._receive(connection, desk))
                    # Who comes is taken in turns with who is here, however many come.
                    await asyncio.sleep(0)
        finally:
            self._endpoint.close()
            # A task that is cancelled before its first step closes nothing.
            for connection in self._accepted:
                connection.close()

    async def _receive(self, connection: Connection, desk: Desk) -> None:
        peer = self._named(connection.peer)
        try:
            admission = self._gatekeeper.admit(peer, None)
            visitor = Visitor(peer, self._limits, self._limits.meter_of(_key(admission.who), time.monotonic()))
            await self._admit(connection, visitor, admission, desk)
        except* OSError as errors:
            _log.debug("client %s (pid %d) is gone: %r", peer.exe, peer.pid, errors.exceptions[0])
        except* Exception:  # noqa: BLE001 - one client's bad luck never ends the others
            _log.exception("client %s (pid %d) met a defect of ours", peer.exe, peer.pid)
        finally:
            self._accepted.discard(connection)
            connection.close()

    async def _admit(self, connection: Connection, visitor: Visitor, admission: Admission, desk: Desk) -> None:
        if admission.problem is not None:
            await self._turn_away(connection, visitor, admission.problem, admission.problem.refused())
            return
        why = self._limits.enter(visitor.meter, time.monotonic())
        if why is not None:
            await self._turn_away(connection, visitor, why, too_much(why))
            return
        try:
            await self._serve(connection, visitor, desk)
        finally:
            self._limits.leave(visitor.meter)

    async def _turn_away(self, connection: Connection, visitor: Visitor, why: StrEnum, refused: Refused) -> None:
        if await visitor.wait(visitor.refuse(why)):
            connection.say(frame(encode(Greeting(version=__version__, refused=refused))))

    async def _serve(self, connection: Connection, visitor: Visitor, desk: Desk) -> None:
        try:
            connection.say(self._greeting)
            reader, writer = await connection.secure(self._context, self._timing.handshake)
        except OSError as error:
            why = _why(error)
            if why is None:
                raise
            visitor.refuse(why)
            return
        finally:
            self._limits.secured(visitor.meter)
        _keep_small(writer.transport)
        # Some systems know the program only now.
        visitor.peer = self._named(connection.peer)
        admission = self._gatekeeper.admit(visitor.peer, presented(writer.get_extra_info("ssl_object")))
        if admission.problem is not None:
            # No reason to hang up: whose certificate counts no longer is here to be paired again.
            visitor.refuse(admission.problem)
        conversation = Conversation(
            reader,
            writer,
            visitor,
            admission,
            desk=desk,
            hub=self._hub,
            logs=self._logs,
            timing=self._timing,
        )
        self._live.add(conversation)
        try:
            await conversation.serve()
        except* TimeoutError:
            visitor.refuse(Why.NOT_READING)
        finally:
            self._live.discard(conversation)
            await self._close(writer)

    def _named(self, peer: Credentials) -> Credentials:
        return peer if peer.user else replace(peer, user=self._user(peer.uid))

    async def _close(self, writer: asyncio.StreamWriter) -> None:
        """Let what is written leave, for a moment; then cut."""
        # Closed a second time, asyncio's TLS transport (3.11) can't be aborted any more.
        if not writer.is_closing():
            writer.close()
        try:
            async with asyncio.timeout(self._timing.linger):
                await writer.wait_closed()
        except OSError:
            writer.transport.abort()

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(self._timing.recheck)
            self._judge_again()
            for uid, unlogged in self._limits.unlogged():
                _log.warning("uid %d was refused %d times more without a line of its own", uid, unlogged)

    def _judge_again(self) -> None:
        for conversation in tuple(self._live):
            before = conversation.admission
            now = self._gatekeeper.again(conversation.visitor.peer, before.who)
            if now.problem is None:
                conversation.admission = Admission(now.who, before.problem)
            else:
                conversation.visitor.refuse(now.problem)
                conversation.end(now.problem.refused())


class _BoundedReading(Protocol):
    def set_read_buffer_limits(self, high: int) -> None: ...


def _keep_small(transport: asyncio.WriteTransport) -> None:
    """Bound what asyncio keeps of a client's bytes, in and out; by itself some hundred kilobytes."""
    transport.set_write_buffer_limits(high=_RECORD)
    cast("_BoundedReading", transport).set_read_buffer_limits(high=_RECORD)


def _key(who: Principal) -> int | None:
    """Whose meter counts; None: nobody's."""
    if who.basis is None:
        return _STRANGERS
    return None if who.basis is UserBasis.ROOT else who.uid


def _why(error: OSError) -> Why | None:
    """The reason of a handshake that failed; None: the client hung up."""
    match error:
        case TimeoutError():
            return Why.HANDSHAKE_TIMEOUT
        case ssl.SSLCertVerificationError():
            return Why.FOREIGN_CERTIFICATE
        case ssl.SSLEOFError():
            return None
        case ssl.SSLError(reason=str() as reason) if reason in _NOT_TLS:
            return Why.NOT_TLS
        case ssl.SSLError(reason=str() as reason) if reason in _OLD_TLS:
            return Why.OLD_TLS
        case ssl.SSLError():
            return Why.HANDSHAKE
        case _:
            return None
