"""Has commands carried out, by whom each belongs to: once for each key, to their end even if the client is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from weakref import WeakKeyDictionary

from slopn_helper.ipc import Hub
from slopn_helper.ipc.authz import FREE, Denied
from slopn_helper.ipc.gatekeeper import GateCommand, Gatekeeper
from slopn_helper.ipc.ledger import OTHER_COMMAND, Ledger
from slopn_helper.ipc.limits import Meter
from slopn_helper.ipc.refusals import Why
from slopn_helper.ipc.visitor import Visitor, too_much
from slopn_helper.logs import LogStore
from slopn_helper.principal import Principal
from slopn_wire.commands import (
    Command,
    Diagnose,
    ExportProfile,
    GetLogs,
    GetPairings,
    GetSnapshot,
    GetUsers,
    Replay,
    Request,
    Watch,
)
from slopn_wire.events import ErrorKind, Refused, Result

LOOKUPS: frozenset[type[Command]] = frozenset({Diagnose, ExportProfile, GetLogs, Replay})
"""Commands with large answers or much work."""
BULKY = LOOKUPS | {GetSnapshot, Watch}
"""Commands whose answers may be large: a user's wait for each other until they are sent, or they could fill the memory."""
_AT_ONCE = 2
_READING = LOOKUPS | {GetPairings, GetSnapshot, GetUsers}

_log = logging.getLogger(__name__)


class Desk:
    """Where requests go that were found permitted. `tasks` outlives every client."""

    def __init__(self, gatekeeper: Gatekeeper, hub: Hub, logs: LogStore, tasks: asyncio.TaskGroup) -> None:
        self._gatekeeper = gatekeeper
        self._hub = hub
        self._logs = logs
        self._tasks = tasks
        self._ledger = Ledger()
        self._places: WeakKeyDictionary[Meter, asyncio.Semaphore] = WeakKeyDictionary()
        # A replay takes some ten megabytes while it is being made: all users' wait for each other then, and one user's
        # until they are sent.
        self._replays: WeakKeyDictionary[Meter, asyncio.Lock] = WeakKeyDictionary()
        self._replaying = asyncio.Lock()

    async def carry_out(self, visitor: Visitor, who: Principal, request: Request, size: int) -> Result | Denied:
        """What the request, of `size` bytes, comes to. Cancelling this doesn't end what has begun."""
        meter = visitor.meter
        if meter is not None and meter.running >= visitor.caps.running:
            return Denied(Why.COMMANDS, too_much(Why.COMMANDS))
        if not visitor.has_room(size):
            return Denied(Why.MEMORY, too_much(Why.MEMORY))

        def begin() -> asyncio.Task[Result]:
            return self._tasks.create_task(self._run(visitor, who, request.command, size))

        outcome = begin() if type(request.command) in _READING else self._ledger.once(who, request, begin)
        if outcome is None:
            return Denied(Why.KEY, OTHER_COMMAND)
        result = await asyncio.shield(outcome)
        if isinstance(result, Refused) and type(request.command) in FREE:
            return Denied(Why.PAIRING, result)
        return result

    @contextlib.asynccontextmanager
    async def place(self, visitor: Visitor, command: Command, size: int) -> AsyncIterator[None]:
        """Hold one of the few places for bulky commands, from before the answer is made until it is sent.

        The user is charged for the request's `size` (bytes) while it waits.
        """
        if visitor.meter is None or type(command) not in BULKY:
            yield
            return
        async with contextlib.AsyncExitStack() as held:
            with visitor.holding(size):
                if isinstance(command, Replay):
                    await held.enter_async_context(self._replays.setdefault(visitor.meter, asyncio.Lock()))
                await held.enter_async_context(self._places.setdefault(visitor.meter, asyncio.Semaphore(_AT_ONCE)))
            yield

    async def _run(self, visitor: Visitor, who: Principal, command: Command, size: int) -> Result:
        meter = visitor.meter
        if meter is not None:
            meter.running += 1
        try:
            with visitor.holding(size):
                return await self._do(who, command)
        except Exception:  # noqa: BLE001 - a defect ends no more than its command
            _log.exception("%s met a defect of ours (uid %d, pid %d)", type(command).__name__, who.uid, who.pid)
            return Refused(ErrorKind.FAILED, "SloPN's helper met a defect of its own; `slopn logs` says more.")
        finally:
            if meter is not None:
                meter.running -= 1

    async def _do(self, who: Principal, command: Command) -> Result:
        if isinstance(command, GetLogs):
            return self._logs.lines(command.filter, command.since)
        if isinstance(command, GateCommand):
            return await self._gatekeeper.submit(who, command)
        if isinstance(command, Replay):
            async with self._replaying:
                return await self._hub.submit(who, command)
        return await self._hub.submit(who, command)
