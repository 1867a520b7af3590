"""Who may command the helper: judges those who connect, and answers all that is about pairing, devices and users."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, get_args

from msgspec.structs import replace

from slopn_helper.ipc import Hub, Users
from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.certificates import ClientCertificate, read_request
from slopn_helper.ipc.devices import DeviceBook
from slopn_helper.ipc.executables import is_ours
from slopn_helper.ipc.pairing import Asker, Chance, Manner, Moment, Pairings, manner
from slopn_helper.ipc.pki import Authority
from slopn_helper.ipc.registry import Entry, name_problem
from slopn_helper.ipc.verdicts import Problem
from slopn_helper.principal import Principal
from slopn_helper.store import StoreError
from slopn_wire import events
from slopn_wire.commands import (
    AddUser,
    ConfirmPairing,
    GetPairings,
    GetUsers,
    Pair,
    RemoveUser,
    RenameDevice,
    Renew,
    RevokeDevice,
)
from slopn_wire.devices import Device, PendingPairing, Right, ShownPairing
from slopn_wire.events import Done, ErrorKind, NumberNeeded, Paired, Refused, Result

GateCommand = (
    Pair | ConfirmPairing | Renew | GetPairings | RenameDevice | RevokeDevice | GetUsers | AddUser | RemoveUser
)
SERVES: frozenset[type] = frozenset(get_args(GateCommand))
"""The commands that are the gatekeeper's, not the hub's."""
CHANCE = Chance(lambda: secrets.token_hex(16), lambda: secrets.randbelow(1_000_000))
"""The system's own."""

_log = logging.getLogger(__name__)


class Admission(NamedTuple):
    """What became of somebody who connected."""

    who: Principal
    """With rights only if `problem` is None and there is a valid certificate."""
    problem: Problem | None
    """Why the user is turned away, or the certificate doesn't count. To show none is no problem."""


class Gatekeeper:
    """Used in the event loop's thread alone; the disk is another thread's. `run` must run beside it.

    `show` tells a sentence with a number to who watches over the helper, never to who asks. `prefix` is where our front
    ends are installed; None: nowhere, so all but root repeat a number. `now` and `steady` are the two clocks.
    """

    def __init__(
        self,
        authority: Authority,
        book: DeviceBook,
        users: Users,
        hub: Hub,
        *,
        show: Callable[[str], None],
        prefix: Path | None,
        now: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        chance: Chance = CHANCE,
    ) -> None:
        self._authority = authority
        self._book = book
        self._users = users
        self._hub = hub
        self._show = show
        self._prefix = prefix
        self._now = now
        self._steady = steady
        self._pairings = Pairings(chance)
        self._listeners: list[Callable[[], None]] = []
        self._told_devices: tuple[Device, ...] = ()
        self._told_pairings: tuple[PendingPairing, ...] = ()
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        users.on_change(self._users_changed)
        book.on_change(self._devices_changed)
        self._devices_changed()

    def on_change(self, call: Callable[[], None]) -> None:
        """`call` whenever a live connection may have lost its rights, in the event loop: ask `again` for each."""
        self._listeners.append(call)

    def admit(self, peer: Credentials, certificate: ClientCertificate | None) -> Admission:
        """Who has connected, by the system's word and the certificate that TLS has verified. No disk, no waiting.

        Before TLS, with None, it tells whether the user may use SloPN at all.
        """
        basis = self._users.basis(peer.uid, peer.gid, peer.groups)
        verdict: Entry | Problem | None = None
        if basis is None:
            verdict = Problem.NOT_ALLOWED
        elif certificate is not None:
            verdict = self._book.registry.judge(certificate, peer.uid, peer.user, self._now())
            if isinstance(verdict, Entry):
                self._seen(verdict.id, certificate.serial)
        who = Principal(
            uid=peer.uid,
            gid=peer.gid,
            pid=peer.pid,
            exe=peer.exe,
            rights=frozenset(),
            user=peer.user,
            basis=basis,
            session=peer.session,
        )
        return _admission(who, verdict)

    def again(self, peer: Credentials, who: Principal) -> Admission:
        """Judge a live connection once more, which `admit` has let in as `who`. With a problem, it must end."""
        basis = self._users.basis(peer.uid, peer.gid, peer.groups)
        verdict: Entry | Problem | None = None
        if basis is None:
            verdict = Problem.NOT_ALLOWED
        elif who.device is not None:
            verdict = self._book.registry.judge_again(who.device, who.uid, who.user, self._now())
        return _admission(replace(who, basis=basis, rights=frozenset(), device=None), verdict)

    async def submit(self, who: Principal, command: GateCommand) -> Result:
        """Carry out `command`. That `who` has the right for it is checked already; whose device it is, isn't."""
        if who.basis is None:
            return Problem.NOT_ALLOWED.refused()
        match command:
            case Pair():
                return await self._pair(who, command)
            case ConfirmPairing():
                return await self._confirm(who, command)
            case Renew():
                return await self._renew(who, command.request)
            case GetPairings():
                self._expire()
                return events.Pairings(self._pairings.shown_to(who.uid))
            case RenameDevice():
                return await self._rename(who, command)
            case RevokeDevice():
                return await self._revoke(who, command.device)
            case GetUsers():
                return events.Users(await asyncio.to_thread(self._users.all))
            case AddUser():
                return await self._change_users(who, self._users.add, command.name)
            case RemoveUser():
                return await self._change_users(who, self._users.remove, command.name)

    async def run(self) -> None:
        """Until cancelled: write what changes, and forget the numbers that run out."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._book.run())
            tasks.create_task(self._forget())

    async def _forget(self) -> None:
        while True:
            self._wake.clear()
            self._expire()
            ends = self._pairings.next_end()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if ends is None else ends - self._steady()):
                    await self._wake.wait()

    async def _pair(self, who: Principal, command: Pair) -> Result:
        problem = name_problem(command.name)
        if problem is not None:
            return Refused(ErrorKind.INVALID, problem)
        rights = tuple(right for right in Right if right in command.rights)
        if not rights:
            return Refused(ErrorKind.INVALID, "A front end without any right is of no use: ask for one at least.")
        try:
            read_request(command.request)
        except ValueError as error:
            return Refused(ErrorKind.INVALID, str(error))
        asker = Asker(who.uid, who.user, who.exe or "", command.name, rights)
        ours = await asyncio.to_thread(is_ours, who.exe, self._prefix)
        revoked = self._book.registry.was_revoked(asker.uid, asker.user, asker.program)
        match manner(who, ours=ours, revoked=revoked):
            case Manner.REFUSED:
                return Problem.NOT_ALLOWED.refused()
            case Manner.SILENT:
                return await self._enter(asker, command.request)
            case Manner.NUMBER:
                return self._ask(asker, command.request)

    def _ask(self, asker: Asker, request: str) -> Result:
        shown = self._pairings.begin(asker, request, self._moment())
        self._tell_pairings()
        self._wake.set()
        if isinstance(shown, Refused):
            return shown
        self._show(sentence(shown))
        return NumberNeeded(shown.pairing.id, shown.pairing.expires)

    async def _confirm(self, who: Principal, command: ConfirmPairing) -> Result:
        confirmed = self._pairings.confirm(who.uid, command.pairing, command.number, self._moment())
        self._tell_pairings()
        if isinstance(confirmed, Refused):
            return confirmed
        return await self._enter(confirmed.asker, confirmed.request)

    async def _enter(self, asker: Asker, request: str) -> Result:
        """Give a front end its certificate, once the registry that knows it is on disk."""
        device = secrets.token_hex(8)
        now = self._now()
        issued = self._authority.issue(request, device, now)
        entry = Entry(
            id=device,
            name=asker.name,
            uid=asker.uid,
            user=asker.user,
            program=asker.program,
            rights=asker.rights,
            created=now,
            serial=issued.serial,
            expires=issued.not_after,
        )
        try:
            await self._book.change(lambda registry: registry.add(entry, now))
        except StoreError as error:
            return Refused(ErrorKind.FAILED, f"This front end could not be paired: {error}.")
        _log.info("paired front end %s for uid %d", device, asker.uid)
        return Paired(device, issued.certificate, asker.rights)

    async def _renew(self, who: Principal, request: str) -> Result:
        entry = None if who.device is None else self._book.registry.find(who.device)
        if entry is None:
            return Problem.UNKNOWN.refused()
        try:
            issued = self._authority.issue(request, entry.id, self._now())
            await self._book.change(lambda registry: registry.renew(entry.id, issued))
        except ValueError as error:
            return Refused(ErrorKind.INVALID, str(error))
        except StoreError as error:
            return Refused(ErrorKind.FAILED, f"The certificate could not be renewed: {error}.")
        _log.info("renewed the certificate of front end %s", entry.id)
        return Paired(entry.id, issued.certificate, entry.rights)

    async def _rename(self, who: Principal, command: RenameDevice) -> Result:
        if not self._may_touch(who, command.device):
            return _NO_SUCH_DEVICE
        problem = name_problem(command.name)
        if problem is not None:
            return Refused(ErrorKind.INVALID, problem)
        try:
            await self._book.change(lambda registry: registry.rename(command.device, command.name))
        except StoreError as error:
            return Refused(ErrorKind.FAILED, f"The front end could not be renamed: {error}.")
        return Done()

    async def _revoke(self, who: Principal, device: str) -> Result:
        if not self._may_touch(who, device):
            return _NO_SUCH_DEVICE
        # It holds before it is written: a full disk must not keep a front end in.
        self._book.change_now(lambda registry: registry.revoke(device))
        _log.info("front end %s was revoked by uid %d", device, who.uid)
        try:
            await self._book.settle()
        except StoreError as error:
            return Done((f"The pairing has ended, but that could not be written yet, which is tried again: {error}.",))
        return Done()

    async def _change_users(self, who: Principal, change: Callable[[str], None], name: str) -> Result:
        if who.uid != 0:
            return Refused(ErrorKind.NOT_PERMITTED, "Only root may say who may use SloPN: put `sudo` in front.")
        try:
            await asyncio.to_thread(change, name)
        except ValueError as error:
            return Refused(ErrorKind.INVALID, str(error))
        except StoreError as error:
            return Refused(ErrorKind.FAILED, str(error))
        return Done()

    def _seen(self, device: str, serial: str) -> None:
        now = self._now()
        self._book.change_now(lambda registry: registry.seen(device, serial, now))

    def _may_touch(self, who: Principal, device: str) -> bool:
        entry = self._book.registry.find(device)
        return entry is not None and (who.uid == 0 or (entry.uid, entry.user) == (who.uid, who.user))

    def _moment(self) -> Moment:
        return Moment(self._now(), self._steady())

    def _expire(self) -> None:
        self._pairings.expire(self._steady())
        self._tell_pairings()

    def _tell_pairings(self) -> None:
        waiting = self._pairings.waiting()
        if waiting != self._told_pairings:
            self._told_pairings = waiting
            self._hub.set_pairings(waiting)

    def _devices_changed(self) -> None:
        devices = tuple(each.wire() for each in self._book.registry.devices)
        if devices == self._told_devices:
            return
        gone = {each.id for each in self._told_devices} - {each.id for each in devices}
        self._told_devices = devices
        self._hub.set_devices(devices)
        if gone:
            self._call_listeners()

    def _users_changed(self) -> None:
        """May be called in any thread: users are added and removed in one of their own."""
        if self._loop is None:
            self._call_listeners()
        else:
            self._loop.call_soon_threadsafe(self._call_listeners)

    def _call_listeners(self) -> None:
        for call in self._listeners:
            call()


def sentence(shown: ShownPairing) -> str:
    """What is shown to who watches over the helper while a front end waits for its number."""
    pairing = shown.pairing
    return (
        f"{pairing.user} (uid {pairing.uid}) wants to pair {pairing.program or 'a program'} as “{pairing.name}”. "
        f"If that is expected, repeat this number there within two minutes: {shown.number}"
    )


_NO_SUCH_DEVICE = Refused(
    ErrorKind.INVALID, "You have no such paired front end: `slopn devices` lists them with their identifiers."
)


def _admission(who: Principal, verdict: Entry | Problem | None) -> Admission:
    if isinstance(verdict, Entry):
        return Admission(replace(who, rights=frozenset(verdict.rights), device=verdict.id), None)
    return Admission(who, verdict)
