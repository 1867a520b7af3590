"""One client, once TLS stands: its requests in order, and beside them the events and log lines that it follows.

What a client doesn't read waits in the rings of the hub and the log, which all readers share: here are never more than
some kilobytes for it. A client that reads nothing, or doesn't come to the end of a request, is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from typing import Any, NoReturn, TypeVar

from msgspec import Struct

from slopn_helper.ipc import Hub, Subscription
from slopn_helper.ipc.authz import Denied, denial
from slopn_helper.ipc.desk import LOOKUPS, Desk
from slopn_helper.ipc.gatekeeper import Admission
from slopn_helper.ipc.refusals import Why
from slopn_helper.ipc.session import Session
from slopn_helper.ipc.visitor import Visitor, too_much
from slopn_helper.logs import LogReader, LogStore
from slopn_wire.commands import FollowLogs, RemoveUser, Request, RevokeDevice, Watch
from slopn_wire.events import Done, ErrorKind, Lagged, Refused

_T = TypeVar("_T")
_CHUNK = 1 << 14
_SLOWEST = 1 << 16  # bytes a second that a client must read of a large answer
_PACE = 0.02  # seconds for which events are collected: one write for many, and still at once for an eye


class Timing(Struct, frozen=True):
    """How long clients may take, in seconds. Root's as well."""

    handshake: float = 5.0
    first_request: float = 10.0
    request: float = 10.0
    """From a request's first byte to its last."""
    send: float = 10.0
    """For a frame to leave; more for a large one."""
    unpaired: float = 300.0
    """For a connection without a certificate, which is good for pairing alone."""
    linger: float = 1.0
    """For the last bytes to leave."""
    recheck: float = 60.0
    """Between two looks whether those who are connected still may be."""


class Conversation:
    """One client's connection. `serve` it; `end` it from outside."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        visitor: Visitor,
        admission: Admission,
        *,
        desk: Desk,
        hub: Hub,
        logs: LogStore,
        timing: Timing,
    ) -> None:
        self.visitor = visitor
        self.admission = admission
        """Who it is as of now; whoever judges again may replace it."""
        self._reader = reader
        self._writer = writer
        self._desk = desk
        self._hub = hub
        self._logs = logs
        self._timing = timing
        self._session = Session(files=admission.who.device is not None)
        self._charged = 0
        self._sending = asyncio.Lock()
        self._torn = False
        self._asked = False
        self._ended: asyncio.Future[Refused] = asyncio.get_running_loop().create_future()
        self._last_words = asyncio.Lock()
        self._events = _Stream()
        self._lines = _Stream()

    async def serve(self) -> None:
        """Until the client hangs up, breaks the rules, or `end` is called.

        Raises a group with an `OSError`; with a `TimeoutError` when it doesn't read.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._until_ended())
                await self._live(tasks)
                self._finish()
        except* _Over:
            pass
        finally:
            self._events.close()
            self._lines.close()
            self._session.forget()
            self._charge(0)
        if self._ended.done() and not self._torn:
            await self._send(self._session.farewell(self._ended.result()))

    def end(self, refused: Refused) -> None:
        """Serve no more, and tell the client why, once the loop comes to it; who has asked for this gets an answer first."""
        if not self._ended.done():
            self._ended.set_result(refused)

    async def _until_ended(self) -> None:
        await self._ended
        async with self._last_words:
            self._finish()

    async def _live(self, tasks: asyncio.TaskGroup) -> None:
        lifetime = asyncio.timeout(None if self.admission.who.device is not None else self._timing.unpaired)
        try:
            async with lifetime:
                await self._answer_all(tasks)
        except TimeoutError:
            if not lifetime.expired():
                raise
            self._break_off(Why.LINGERING, "No certificate for so long: pair, then connect again.")

    def _finish(self) -> NoReturn:
        """Leave the task group, and with it all tasks of this client."""
        raise _Over

    def _break_off(self, why: Why, sentence: str, kind: ErrorKind = ErrorKind.INVALID) -> None:
        self.visitor.refuse(why)
        self.end(Refused(kind, sentence))

    async def _answer_all(self, tasks: asyncio.TaskGroup) -> None:
        begun = asyncio.get_running_loop().time()
        while True:
            try:
                async with asyncio.timeout_at(self._deadline(begun)):
                    data = await self._reader.read(_CHUNK)
            except TimeoutError:
                if self._session.waiting:
                    self._break_off(Why.FRAME_TIMEOUT, "The rest of a request didn't come.")
                else:
                    self._break_off(Why.SILENT, "No request came.")
                return
            if not data:
                return
            if not self._session.waiting:
                begun = asyncio.get_running_loop().time()
            begun = await self._take(data, tasks) or begun
            if self._ended.done():
                return

    async def _take(self, data: bytes, tasks: asyncio.TaskGroup) -> float | None:
        """Answer the requests that `data` completes, which may be files and are forgotten; when the last was answered."""
        answered = None
        for request in self._session.receive(data):
            if isinstance(request, Refused):
                self.visitor.refuse(Why.FRAME)
                self.end(request)
                return None
            self._asked = True
            self._charge(self._session.waiting)
            number, denied = request.id, await self._answer(request, self._session.size, tasks)
            del request  # a refusal may have to wait: not with a file in memory that nobody is charged for
            if denied is not None:
                await self._refuse(number, denied)
            answered = asyncio.get_running_loop().time()
        if not self._charge(self._session.waiting):
            self._break_off(Why.MEMORY, too_much(Why.MEMORY).message, ErrorKind.LIMITED)
        return answered

    def _deadline(self, begun: float) -> float | None:
        if self._session.waiting:
            return begun + self._timing.request
        return None if self._asked else begun + self._timing.first_request

    def _charge(self, size: int) -> bool:
        """Charge the user for `size` bytes instead of those before. False: there is no room for so many."""
        change = size - self._charged
        room = change <= 0 or self.visitor.has_room(change)
        self._charged = size
        self.visitor.charge(change)
        return room

    async def _answer(self, request: Request, size: int, tasks: asyncio.TaskGroup) -> Denied | None:
        """Answer, unless it is to be refused."""
        if self._ended.done():
            self._finish()
        if isinstance(request.command, RevokeDevice | RemoveUser):
            async with self._last_words:
                return await self._answer_one(request, size, tasks)
        return await self._answer_one(request, size, tasks)

    async def _answer_one(self, request: Request, size: int, tasks: asyncio.TaskGroup) -> Denied | None:
        command, admission = request.command, self.admission
        meter = self.visitor.meter
        lookup = type(command) in LOOKUPS
        if meter is not None and not meter.command(admission.who.device, time.monotonic(), lookup=lookup):
            return Denied(Why.COMMAND_RATE, too_much(Why.COMMAND_RATE))
        if (denied := denial(admission.who, admission.problem, command)) is not None:
            return denied
        if not self.visitor.has_room(size):
            return Denied(Why.MEMORY, too_much(Why.MEMORY))
        async with self._desk.place(self.visitor, command, size):
            if isinstance(command, Watch):
                await self._watch(request.id, command, tasks)
                return None
            if isinstance(command, FollowLogs):
                await self._follow(request.id, command, tasks)
                return None
            result = await self._desk.carry_out(self.visitor, admission.who, request, size)
            if not isinstance(result, Denied):
                sending = self._send(self._session.reply(request.id, result))
                del result  # as in `_send`
                await sending
                return None
        return result

    async def _refuse(self, request_id: int, denied: Denied) -> None:
        if await self.visitor.wait(self.visitor.refuse(denied.why)):
            await self._send(self._session.reply(request_id, denied.refused))
        else:
            self._finish()

    async def _watch(self, request_id: int, command: Watch, tasks: asyncio.TaskGroup) -> None:
        """Begin to stream, after the first answer; a second watch of the same client replaces the first."""
        await self._events.stop()
        source = self._events.source(self._hub.subscribe(command.after, command.epoch))
        await self._send(self._session.reply(request_id, source.first))
        self._events.start(tasks, self._stream_events(source))

    async def _follow(self, request_id: int, command: FollowLogs, tasks: asyncio.TaskGroup) -> None:
        await self._lines.stop()
        source = self._lines.source(self._logs.reader(command.filter, command.since, command.after))
        await self._send(self._session.reply(request_id, Done()))
        self._lines.start(tasks, self._stream_lines(source))

    async def _stream_events(self, source: Subscription) -> None:
        while True:
            batch = await source.batch()
            if batch.lagged:
                await self._send(self._session.message(Lagged()))
                return
            await self._send(batch.frames)
            await asyncio.sleep(_PACE)

    async def _stream_lines(self, source: LogReader) -> None:
        while True:
            await self._send(self._session.message(await source.batch()))

    async def _send(self, data: bytes | bytearray) -> None:
        left = [memoryview(data)]
        within = self._timing.send + len(data) / _SLOWEST
        # The traceback of an error keeps what a frame's variables say, until the garbage collector comes: megabytes.
        del data
        try:
            async with self._sending, asyncio.timeout(within):
                # A frame that was cut off in its middle ends what can be said on this connection.
                self._torn = True
                for start in range(0, len(left[0]), _CHUNK):
                    # Little by little: TLS would make a copy of all of it, and asyncio another. And no piece is a view,
                    # which would keep the whole for as long as a transport that was cut off keeps what it has to write.
                    self._writer.write(bytes(left[0][start : start + _CHUNK]))
                    await self._writer.drain()
                self._torn = False
        finally:
            left.clear()


class _Over(Exception):
    """The conversation is at an end, as it should be."""


class _Stream:
    """What a client follows: a place in a ring, and the task that reads it."""

    def __init__(self) -> None:
        self._source = contextlib.ExitStack()
        self._task: asyncio.Task[None] | None = None

    def source(self, made: AbstractContextManager[_T]) -> _T:
        """Enter the place; `close` leaves it."""
        return self._source.enter_context(made)

    def start(self, tasks: asyncio.TaskGroup, reading: Coroutine[Any, Any, None]) -> None:
        """Read it from now on."""
        self._task = tasks.create_task(reading)

    async def stop(self) -> None:
        """Read no more. Nothing is sent after this."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.close()

    def close(self) -> None:
        """Leave the place."""
        self._task = None
        self._source.close()
