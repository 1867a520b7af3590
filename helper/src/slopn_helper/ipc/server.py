"""Accepts clients and serves each: its requests in order, its watch, its log lines. No client can hold up another.

What a client doesn't read stays in bounded queues (the hub's and the log's); one that reads nothing at all is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from slopn_helper.ipc import Hub, Subscription
from slopn_helper.ipc.authz import principal, refusal
from slopn_helper.ipc.endpoints import Connection, Endpoint
from slopn_helper.ipc.session import Session
from slopn_helper.logs import Follower, LogStore
from slopn_helper.principal import Principal
from slopn_wire.commands import Request, Watch
from slopn_wire.events import ErrorKind, Lagged, Refused, Result

MAX_CLIENTS = 64
"""Connections of others than root; root always gets in, to end what fills the house."""
SEND_TIMEOUT = 10.0
"""Seconds for one frame to leave; a client that takes longer is dropped."""
_CHUNK = 1 << 16
_WRITE_BUFFER = 1 << 16
_LINGER = 1.0
_ACCEPT_PAUSE = 0.1  # out of descriptors: let clients go before trying again

_log = logging.getLogger(__name__)


class Server:
    """Serves the clients of one endpoint. `group`: the gid of `slopn`, None where there is none."""

    def __init__(
        self,
        endpoint: Endpoint,
        hub: Hub,
        logs: LogStore,
        group: int | None,
        *,
        max_clients: int = MAX_CLIENTS,
        send_timeout: float = SEND_TIMEOUT,
    ) -> None:
        self._endpoint = endpoint
        self._hub = hub
        self._logs = logs
        self._group = group
        self._max_clients = max_clients
        self._send_timeout = send_timeout
        self._clients = 0

    async def run(self) -> None:
        """Serve until cancelled; then every client's connection is closed and the endpoint is gone."""
        try:
            async with asyncio.TaskGroup() as clients:
                while True:
                    try:
                        connection = await self._endpoint.accept()
                    except OSError as error:
                        _log.warning("a client could not be accepted: %s", error)
                        await asyncio.sleep(_ACCEPT_PAUSE)
                        continue
                    clients.create_task(self._admit(connection))
        finally:
            self._endpoint.close()

    async def _admit(self, connection: Connection) -> None:
        who = principal(connection.peer, self._group)
        client = _Client(connection, who, self._hub, self._logs, self._send_timeout)
        counted = who.uid != 0
        self._clients += counted
        try:
            if counted and self._clients > self._max_clients:
                await client.turn_away()
            else:
                _log.debug("client %s (pid %d, uid %d)", who.exe, who.pid, who.uid)
                await client.serve()
        except* OSError as errors:
            _log.info("client %s (pid %d) was dropped: %r", who.exe, who.pid, errors.exceptions[0])
        except* Exception:  # noqa: BLE001 - one client's bad luck never ends the others
            _log.exception("client %s (pid %d) met a defect of ours", who.exe, who.pid)
        finally:
            self._clients -= counted
            await _close(connection.writer)


class _Client:
    """One connection: the requests are answered here, two more tasks stream what the client watches."""

    def __init__(self, connection: Connection, who: Principal, hub: Hub, logs: LogStore, send_timeout: float) -> None:
        self._reader = connection.reader
        self._writer = connection.writer
        self._writer.transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        self._who = who
        self._hub = hub
        self._logs = logs
        self._send_timeout = send_timeout
        self._session = Session()
        self._sending = asyncio.Lock()
        self._streams: list[asyncio.Task[None]] = []
        self._sources = contextlib.ExitStack()

    async def serve(self) -> None:
        """Until the client hangs up or sends rubbish. Raises a group with `TimeoutError` when it doesn't read."""
        with self._sources:
            async with asyncio.TaskGroup() as tasks:
                await self._answer(tasks)
                for stream in self._streams:
                    stream.cancel()

    async def turn_away(self) -> None:
        """Say that there is no room."""
        await self._send(self._session.farewell(Refused(ErrorKind.FAILED, "Too many programs are connected to SloPN.")))

    async def _answer(self, tasks: asyncio.TaskGroup) -> None:
        while data := await self._reader.read(_CHUNK):
            for request in self._session.receive(data):
                if isinstance(request, Refused):
                    await self._send(self._session.farewell(request))
                    return
                await self._answer_one(request, tasks)

    async def _answer_one(self, request: Request, tasks: asyncio.TaskGroup) -> None:
        command = request.command
        result: Result
        if (denied := refusal(self._who, command)) is not None:
            result = denied
        elif isinstance(command, Watch):
            await self._watch(request.id, command, tasks)
            return
        else:
            result = await self._hub.submit(self._who, command)
        await self._send(self._session.reply(request.id, result))

    async def _watch(self, request_id: int, command: Watch, tasks: asyncio.TaskGroup) -> None:
        """Begin to stream, after the snapshot; a second watch of the same client replaces the first."""
        for stream in self._streams:
            stream.cancel()
        if self._streams:
            await asyncio.wait(self._streams)
        self._sources.close()
        # Both sources are open before the snapshot goes out, so that nothing after it is missed.
        events = self._sources.enter_context(self._hub.subscribe())
        lines = self._sources.enter_context(self._logs.follow()) if command.logs else None
        await self._send(self._session.reply(request_id, events.snapshot))
        self._streams = [tasks.create_task(self._stream_events(events))]
        if lines is not None:
            self._streams.append(tasks.create_task(self._stream_lines(lines)))

    async def _stream_events(self, events: Subscription) -> None:
        while True:
            message = await events.next()
            await self._send(self._session.message(message))
            if isinstance(message, Lagged):
                return

    async def _stream_lines(self, lines: Follower) -> None:
        while True:
            await self._send(self._session.message(await lines.next()))

    async def _send(self, data: bytes) -> None:
        async with self._sending, asyncio.timeout(self._send_timeout):
            self._writer.write(data)
            await self._writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    """Let what is written leave, for a moment; then cut."""
    writer.close()
    try:
        async with asyncio.timeout(_LINGER):
            await writer.wait_closed()
    except OSError:
        writer.transport.abort()
