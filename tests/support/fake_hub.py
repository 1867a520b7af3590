"""What the IPC server talks to, scripted by a test: a hub, a log that notes who asked, a list of users, a gatekeeper."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from slopn_helper.ipc import Batch
from slopn_helper.ipc.devices import DeviceBook
from slopn_helper.ipc.gatekeeper import GateCommand, Gatekeeper
from slopn_helper.ipc.pki import Authority
from slopn_helper.logs import LogReader, LogStore
from slopn_helper.principal import Principal
from slopn_helper.ring import BATCH
from slopn_wire.codec import encode
from slopn_wire.commands import Command, ConfirmPairing, FollowLogs, GetLogs, GetSnapshot, Pair, Renew, Watch
from slopn_wire.devices import AllowedUser, Device, PendingPairing, UserBasis
from slopn_wire.events import Done, Event, EventBody, Result, Resumed, Snapshot
from slopn_wire.fold import fold
from slopn_wire.framing import frame
from slopn_wire.logs import LogFilter, Logs

Answer = Callable[[Any], Result]
_UNTOLD = (Pair, ConfirmPairing, Renew)


class FakeSubscription:
    """A bounded queue of events instead of a place in a ring: so that a test may send what it likes."""

    def __init__(self, hub: FakeHub, limit: int, first: Snapshot | Resumed, missed: list[Event]) -> None:
        self.first = first
        self.lagged = False
        self._hub = hub
        self._limit = limit
        self._events: deque[bytes] = deque(frame(encode(event)) for event in missed)
        self._wake = asyncio.Event()

    def __enter__(self) -> Self:
        self._hub.subscribers.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._hub.subscribers.remove(self)

    def push(self, framed: bytes) -> None:
        """Queue an event; beyond the limit the reader has lagged."""
        if len(self._events) >= self._limit:
            self.lagged = True
            self._events.clear()
        elif not self.lagged:
            self._events.append(framed)
        self._wake.set()

    async def batch(self) -> Batch:
        """What waits, up to some tens of kilobytes, or `lagged`."""
        while not self._events:
            if self.lagged:
                return Batch(b"", lagged=True)
            self._wake.clear()
            await self._wake.wait()
        frames = self._events.popleft()
        while self._events and len(frames) + len(self._events[0]) <= BATCH:
            frames += self._events.popleft()
        return Batch(frames, lagged=False)


class FakeHub:
    """A hub whose answers a test sets and whose events a test publishes. To be used on its loop's thread alone."""

    def __init__(self, limit: int = 256) -> None:
        self.view = Snapshot(seq=1, version="fake", since=1000.0, epoch=secrets.token_hex(8))
        self.commands: list[tuple[Principal | None, Command]] = []
        """Who has asked what; who read the log isn't known here."""
        self.subscribers: list[FakeSubscription] = []
        self.answers: dict[type, Answer] = {}
        self.slow: dict[type, asyncio.Event] = {}
        """Commands that aren't answered before their event is set."""
        self.devices: tuple[Device, ...] = ()
        """As the gatekeeper has told them; they are not in the view, nor told to anybody."""
        self.pairings: tuple[PendingPairing, ...] = ()
        self._limit = limit
        self._history: list[Event] = []

    def snapshot(self) -> Snapshot:
        """The whole, as of the last event."""
        return self.view

    def subscribe(self, after: int | None = None, epoch: str = "") -> FakeSubscription:
        """A reader of what is published from now on, or after number `after` if all of that is known."""
        missed = [event for event in self._history if after is not None and event.seq > after]
        if after is not None and epoch == self.view.epoch and len(missed) == self.view.seq - after:
            return FakeSubscription(self, self._limit, Resumed(after), missed)
        return FakeSubscription(self, self._limit, self.view, [])

    async def submit(self, who: Principal, command: Command) -> Result:
        """Note the command; answer as scripted, else as a hub that accepts everything."""
        self.commands.append((who, command))
        if type(command) in self.slow:
            await self.slow[type(command)].wait()
        if type(command) in self.answers:
            return self.answers[type(command)](command)
        match command:
            case GetSnapshot():
                return self.view
            case Watch() | GetLogs() | FollowLogs():
                raise AssertionError("the server answers this itself")
            case _:
                return Done()

    def set_devices(self, devices: tuple[Device, ...]) -> None:
        """Noted."""
        self.devices = devices

    def set_pairings(self, pairings: tuple[PendingPairing, ...]) -> None:
        """Noted."""
        self.pairings = pairings

    def publish(self, *bodies: EventBody) -> None:
        """The next events."""
        for body in bodies:
            event = Event(self.view.seq + 1, body)
            self.view = fold(self.view, event)
            self.send(event)

    def send(self, event: Event) -> None:
        """An event as it is, whether or not its number fits."""
        self._history.append(event)
        for subscriber in self.subscribers:
            subscriber.push(frame(encode(event)))


class FakeLogs(LogStore):
    """A log that notes who asked for what, and whose `lines` a test may script as the hub's answer to `GetLogs`."""

    def __init__(self, hub: FakeHub) -> None:
        super().__init__()
        self._hub = hub

    def lines(self, wanted: LogFilter | None = None, since: float = 0.0) -> Logs:
        """See `LogStore.lines`."""
        command = GetLogs(wanted or LogFilter(), since)
        self._hub.commands.append((None, command))
        scripted = self._hub.answers.get(GetLogs)
        # Whatever it is: the server hands it on.
        return super().lines(wanted, since) if scripted is None else scripted(command)  # type: ignore[return-value]

    def reader(self, wanted: LogFilter | None = None, since: float = 0.0, after: int = 0) -> LogReader:
        """See `LogStore.reader`."""
        self._hub.commands.append((None, FollowLogs(wanted or LogFilter(), since, after)))
        return super().reader(wanted, since, after)


class FakeUsers:
    """Users by uid, and why each may."""

    def __init__(self, **users: tuple[int, UserBasis]) -> None:
        self.users = {uid: AllowedUser(name, uid, basis) for name, (uid, basis) in users.items()}
        self._calls: list[Callable[[], None]] = []

    def basis(self, uid: int, _gid: int, _groups: tuple[int, ...]) -> UserBasis | None:
        """By the uid alone."""
        user = self.users.get(uid)
        return None if user is None else user.basis

    def all(self) -> tuple[AllowedUser, ...]:
        """As they are."""
        return tuple(self.users.values())

    def add(self, name: str) -> None:
        """Under the next number."""
        uid = max(self.users) + 1
        self.users[uid] = AllowedUser(name, uid, UserBasis.ADDED)
        self._tell()

    def remove(self, name: str) -> None:
        """By name. Raises `ValueError` for an unknown one."""
        for uid, user in self.users.items():
            if user.name == name:
                del self.users[uid]
                self._tell()
                return
        raise ValueError(f"There is no user “{name}”.")

    def on_change(self, call: Callable[[], None]) -> None:
        """See `Users.on_change`."""
        self._calls.append(call)

    def name(self, uid: int) -> str:
        """Of a user who is there, or the number."""
        return self.users[uid].name if uid in self.users else str(uid)

    def _tell(self) -> None:
        for call in self._calls:
            call()


class FakeGatekeeper(Gatekeeper):
    """The real one over a state directory of the test's, but for commands that the hub's answers are scripted for."""

    def __init__(self, state_dir: Path, owner: int, users: FakeUsers, hub: FakeHub, now: float) -> None:
        self.authority = Authority.open(state_dir, now, owner)
        self.book = DeviceBook.open(state_dir, self.authority.fingerprint, owner)
        self.shown: list[str] = []
        """Sentences with numbers."""
        self._scripts = hub
        super().__init__(self.authority, self.book, users, hub, show=self.shown.append, prefix=None)

    async def submit(self, who: Principal, command: GateCommand) -> Result:
        """See `Gatekeeper.submit`; noted, but for pairing."""
        if not isinstance(command, _UNTOLD):
            self._scripts.commands.append((who, command))
        scripted = self._scripts.answers.get(type(command))
        return await super().submit(who, command) if scripted is None else scripted(command)
