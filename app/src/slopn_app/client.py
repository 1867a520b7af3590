"""The helper as asyncio sees it: one question at a time, or a watch that heals itself.

For tray, window and `slopn watch`. The other verbs use the lighter `cli.channel`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec
from msgspec import Struct

from slopn_app import view
from slopn_wire.codec import encode, server_decoder
from slopn_wire.commands import Command, Request, Watch
from slopn_wire.events import (
    PROTOCOL,
    ErrorKind,
    Event,
    Lagged,
    LogLine,
    Refused,
    Reply,
    Result,
    ServerMessage,
    Snapshot,
)
from slopn_wire.framing import MAX_MESSAGE, Deframer, FrameTooLarge, frame

FIRST_DELAY = 0.1
LONGEST_DELAY = 1.0
"""Seconds between tries to reach a helper that is gone: doubled each time, from the first to the longest."""
REPLY_TIMEOUT = 15.0
_CHUNK = 1 << 16


class Unreachable(Struct, frozen=True, tag="unreachable"):
    """The helper is gone; the next try is `retry_in` seconds away. What was known of it holds no more."""

    reason: str
    retry_in: float


class Incompatible(Exception):
    """Helper and front end don't speak the same protocol."""


class HelperClient:
    """The helper behind the socket at `path`. Holds no connection of its own; any number of calls at a time."""

    def __init__(self, path: str, *, first_delay: float = FIRST_DELAY, longest_delay: float = LONGEST_DELAY) -> None:
        self.path = path
        self._first_delay = first_delay
        self._longest_delay = longest_delay

    async def request(self, command: Command) -> Result:
        """Ask once, over a connection of its own.

        Raises `OSError` when the helper can't be reached (`PermissionError`: not by this user), `TimeoutError` when it
        doesn't answer, `Incompatible`. A refusal is a result.
        """
        async with self._connection() as connection, asyncio.timeout(REPLY_TIMEOUT):
            request_id = await connection.ask(command)
            while True:
                message = await connection.next()
                if isinstance(message, Reply) and message.id in {request_id, 0}:
                    return _compatible(message.result)

    async def messages(self, *, logs: bool = False) -> AsyncGenerator[Snapshot | Event | LogLine | Unreachable]:
        """A snapshot, then what changes, for ever. Events follow the snapshot before them without a gap.

        A new snapshot comes after a gap, after `Lagged` and after each `Unreachable`, which stands for a lost helper.
        Raises `PermissionError` when the helper won't talk to this user, `Incompatible`. Close it (`aclosing`).
        """
        delay = self._first_delay
        while True:
            try:
                async with (
                    self._connection() as connection,
                    contextlib.aclosing(_healed(connection, Watch(logs=logs))) as messages,
                ):
                    async for message in messages:
                        delay = self._first_delay
                        yield message
            except PermissionError:
                raise
            except OSError as error:
                yield Unreachable(error.strerror or str(error) or type(error).__name__, delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, self._longest_delay)

    async def views(self) -> AsyncGenerator[Snapshot | Unreachable]:
        """The whole state, again after each change. Raises as `messages` does."""
        current: Snapshot | None = None
        async with contextlib.aclosing(self.messages()) as messages:
            async for message in messages:
                if isinstance(message, Unreachable):
                    yield message
                elif isinstance(message, Snapshot):
                    current = message
                    yield current
                elif isinstance(message, Event) and current is not None:
                    current = view.apply(current, message)
                    yield current

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Connection]:
        # Windows has no such constant; there the endpoint is a pipe.
        connection = socket.socket(getattr(socket, "AF_UNIX", 1), socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, self.path)
            reader, writer = await asyncio.open_connection(sock=connection)
        except BaseException:
            connection.close()
            raise
        try:
            yield _Connection(reader, writer)
        finally:
            writer.transport.abort()


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = Deframer(MAX_MESSAGE)
        self._ready: list[ServerMessage] = []
        self._last_id = 0

    async def ask(self, command: Command) -> int:
        """Send `command`; the id of the reply to wait for."""
        self._last_id += 1
        self._writer.write(frame(encode(Request(self._last_id, command))))
        await self._writer.drain()
        return self._last_id

    async def next(self) -> ServerMessage:
        """The next message. Raises `ConnectionError` at the end, `Incompatible` for one that makes no sense."""
        while not self._ready:
            data = await self._reader.read(_CHUNK)
            if not data:
                raise ConnectionResetError("the helper closed the connection")
            try:
                self._ready = [server_decoder.decode(payload) for payload in self._frames.feed(data)]
            except (msgspec.DecodeError, UnicodeDecodeError, FrameTooLarge) as error:
                raise Incompatible(f"The helper's message makes no sense to this program: {error}") from None
        return self._ready.pop(0)


async def _healed(connection: _Connection, watch: Watch) -> AsyncGenerator[Snapshot | Event | LogLine]:
    """The watch's messages; asks for a new snapshot when one is missing."""
    expected = await connection.ask(watch)
    seq: int | None = None  # None: a snapshot is on its way, events before it are old
    while True:
        message = await connection.next()
        if isinstance(message, Reply):
            if message.id not in {expected, 0}:
                continue
            result = _compatible(message.result)
            if isinstance(result, Refused):
                raise _error(result)
            if isinstance(result, Snapshot):
                seq = result.seq
                yield result
        elif isinstance(message, LogLine):
            yield message
        elif seq is None:
            continue
        elif isinstance(message, Lagged) or message.seq != seq + 1:
            seq = None
            expected = await connection.ask(watch)
        else:
            seq = message.seq
            yield message


def _compatible(result: Result) -> Result:
    if isinstance(result, Snapshot) and result.protocol[0] != PROTOCOL[0]:
        raise Incompatible(
            f"The helper speaks version {result.protocol[0]} of the protocol, this program version {PROTOCOL[0]}. "
            "Install both from the same release, then restart the helper."
        )
    return result


def _error(refused: Refused) -> OSError:
    if refused.kind is ErrorKind.NOT_PERMITTED:
        return PermissionError(refused.message)
    return ConnectionRefusedError(refused.message)
