"""Who sits at this computer, by logind (org.freedesktop.login1(5)).

Signals only say that something changed; then all sessions are looked at anew, so that a lost one costs nothing but the
time to the next look. logind is never started by asking for it: where its unit is masked that would block for 25 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from dbus_fast import BusType, Message, MessageFlag, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusFastError
from dbus_fast.unpack import unpack_variants

log = logging.getLogger(__name__)

LOOK_AGAIN = 30.0
"""Seconds until a look without a signal: logind tells nobody when a session only begins to close, and then it may stay
for as long as a program of it runs."""
GRACE = 10.0
"""Seconds for which the last answer holds when logind doesn't answer: its package restarts it at each update."""
SETTLE = 0.1
"""Seconds between two looks at least: any user may make logind send signals, as many as they like."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds before the system bus is tried again, doubled each time."""
TIMEOUT = 5.0
"""Seconds for one call: logind answers in milliseconds or is stuck."""

_SERVICE = "org.freedesktop.login1"
_PATH = "/org/freedesktop/login1"
_MANAGER = "org.freedesktop.login1.Manager"
_SESSION = "org.freedesktop.login1.Session"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_BUS = "org.freedesktop.DBus"
_RULES = (
    f"type='signal',sender='{_SERVICE}',interface='{_MANAGER}',path='{_PATH}'",
    f"type='signal',sender='{_SERVICE}',interface='{_PROPERTIES}',path_namespace='{_PATH}/seat'",
    f"type='signal',sender='{_SERVICE}',interface='{_PROPERTIES}',path_namespace='{_PATH}/session'",
    f"type='signal',sender='{_BUS}',interface='{_BUS}',member='NameOwnerChanged',arg0='{_SERVICE}'",
)
_TELLING = {"SessionNew", "SessionRemoved", "SeatNew", "SeatRemoved", "NameOwnerChanged"}
_DECIDING = {"Active", "ActiveSession", "Class", "Seat", "Sessions", "State"}
_PERSON = {"user", "user-early", "user-light", "user-early-light"}
"""Classes of sessions that stand for a person who logged in: no greeter, lock screen, cron job or service manager."""
_ALIVE = {"opening", "active"}
_FAILURES = (OSError, EOFError, ValueError, DBusFastError)


class Unreachable(Exception):
    """logind gives no answer; the message says why."""


class Link(Protocol):
    """A connection to the bus that logind is on."""

    stirred: asyncio.Event
    """Set by every signal that may mean another answer, and when the connection is lost."""

    @property
    def lost(self) -> bool:
        """Whether the connection is no more."""
        ...

    async def sessions(self) -> list[Mapping[str, Any]]:
        """The properties of each session that has a seat. Raises `Unreachable`."""
        ...


def sitting(sessions: Iterable[Mapping[str, Any]]) -> frozenset[int]:
    """The uids of those who sit at a screen of this computer now, by the properties of the sessions. Pure.

    As polkit has it, local is a session with a seat; but here the same session must be active. `Active` alone is no
    sign: it is true for each session without a seat, and for one that its user has left already (`State` is `closing`
    then). Its becoming `opening` and then `active` isn't announced, so both count: the user was let in before. A session
    with a seat that came over the network counts for nobody.
    """
    return frozenset(
        int(session["User"][0])
        for session in sessions
        if session.get("Seat", ("",))[0]
        and session.get("Active") is True
        and session.get("State") in _ALIVE
        and session.get("Remote") is False
        and session.get("Class") in _PERSON
    )


def pauses() -> Iterator[float]:
    """How long to wait before each attempt to reach the bus again."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)


class LogindSeats:
    """A `SeatMonitor` by logind; elogind has the same interface. Nobody sits where there is neither.

    `current` follows `changes`: somebody has to iterate over it. `address` is the bus's, the system's without one.
    """

    def __init__(
        self, address: str | None = None, connect: Callable[[], AbstractAsyncContextManager[Link]] | None = None
    ) -> None:
        self._connect = connect or (lambda: _system_bus(address))
        self._users: frozenset[int] = frozenset()
        self._told: str | None = None

    def current(self) -> frozenset[int]:
        """Who sits here, as of the last look."""
        return self._users

    async def changes(self) -> AsyncGenerator[frozenset[int], None]:
        """Who sits here now, then again after each change. Ends only when its task is cancelled."""
        seen: frozenset[int] | None = None
        async with contextlib.aclosing(self._looks()) as looks:
            async for users in looks:
                self._users = users
                if users != seen:
                    seen = users
                    yield users

    async def _looks(self) -> AsyncGenerator[frozenset[int], None]:
        loop = asyncio.get_running_loop()
        known, good_until, waits = frozenset[int](), loop.time(), pauses()
        while True:
            try:
                async with self._connect() as link:
                    while not link.lost:
                        link.stirred.clear()
                        wait = LOOK_AGAIN
                        try:
                            known = sitting(await link.sessions())
                        except Unreachable as error:
                            self._tell(str(error))
                            if loop.time() < good_until:
                                wait = good_until - loop.time()
                        else:
                            self._tell(None)
                            good_until, waits = loop.time() + GRACE, pauses()
                        yield known if loop.time() < good_until else frozenset()
                        await _wait(link.stirred, wait)
                        await asyncio.sleep(SETTLE)
            except Unreachable as error:
                self._tell(str(error))
            yield known if loop.time() < good_until else frozenset()
            await asyncio.sleep(next(waits))

    def _tell(self, problem: str | None) -> None:
        if problem != self._told:
            if problem is None:
                log.info("logind answers again")
            else:
                log.info("logind can't say who sits at this computer: %s", problem)
        self._told = problem


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class _BusLink:
    def __init__(self, bus: MessageBus) -> None:
        self.stirred = asyncio.Event()
        self._bus = bus
        bus.add_message_handler(self._hear)

    @property
    def lost(self) -> bool:
        return not self._bus.connected

    async def subscribe(self) -> None:
        for rule in _RULES:
            await self._call(Message(_BUS, "/org/freedesktop/DBus", _BUS, "AddMatch", signature="s", body=[rule]))

    async def sessions(self) -> list[Mapping[str, Any]]:
        flags = MessageFlag.NO_AUTOSTART
        reply = await self._call(Message(_SERVICE, _PATH, _MANAGER, "ListSessions", flags=flags))
        found = []
        for _, _, _, seat, path in reply.body[0]:
            if not seat:
                continue
            message = Message(_SERVICE, path, _PROPERTIES, "GetAll", signature="s", body=[_SESSION], flags=flags)
            try:
                found.append(unpack_variants((await self._call(message)).body[0]))
            except _Refused:
                continue  # it ended meanwhile, and its end is the next signal
        return found

    async def _call(self, message: Message) -> Message:
        try:
            async with asyncio.timeout(TIMEOUT):
                reply = await self._bus.call(message)
        except TimeoutError as error:
            raise Unreachable(f"no answer within {TIMEOUT:g} s") from error
        except _FAILURES as error:
            raise Unreachable(f"the system bus is gone: {error!r}") from error
        if reply is None:
            raise Unreachable("the system bus is gone")
        if reply.message_type is MessageType.ERROR:
            raise _Refused(f"{reply.error_name} {' '.join(map(str, reply.body))}")
        return reply

    def _hear(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member in _TELLING:
            self.stirred.set()
        elif message.member == "PropertiesChanged" and len(message.body) == 3:
            _, changed, dropped = message.body
            if not _DECIDING.isdisjoint((*changed, *dropped)):
                self.stirred.set()


class _Refused(Unreachable):
    pass


@contextlib.asynccontextmanager
async def _system_bus(address: str | None) -> AsyncIterator[Link]:
    bus = MessageBus(bus_address=address, bus_type=BusType.SYSTEM)
    try:
        async with asyncio.timeout(TIMEOUT):
            await bus.connect()
    except _FAILURES as error:
        raise Unreachable(f"there is no system bus: {error!r}") from error
    link = _BusLink(bus)
    watching = asyncio.get_running_loop().create_task(_watch(bus, link.stirred))
    try:
        await link.subscribe()
        yield link
    finally:
        bus.disconnect()
        await watching


async def _watch(bus: MessageBus, stirred: asyncio.Event) -> None:
    with contextlib.suppress(*_FAILURES):
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
    stirred.set()
