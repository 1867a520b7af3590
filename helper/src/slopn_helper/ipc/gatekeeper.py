"""Who may command the helper: judges those who connect, and answers all that is about users, devices and pairing."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, get_args

from msgspec.structs import replace

from slopn_helper.ipc import Hub, Users
from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.certificates import ClientCertificate
from slopn_helper.ipc.devices import DeviceBook
from slopn_helper.ipc.pairing import Chance
from slopn_helper.ipc.pki import Authority
from slopn_helper.ipc.registrar import Clocks, Registrar, RegistrarCommand
from slopn_helper.ipc.registry import Entry
from slopn_helper.ipc.verdicts import Problem
from slopn_helper.principal import Principal
from slopn_helper.store import StoreError
from slopn_wire import events
from slopn_wire.commands import AddUser, GetUsers, RemoveUser
from slopn_wire.devices import Device
from slopn_wire.events import Done, ErrorKind, Refused, Result

GateCommand = RegistrarCommand | GetUsers | AddUser | RemoveUser
SERVES: frozenset[type] = frozenset(get_args(GateCommand))
"""The commands that are the gatekeeper's, not the hub's."""
CHANCE = Chance(lambda: secrets.token_hex(16), lambda: secrets.randbelow(1_000_000))
"""The system's own."""


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
        self._book = book
        self._users = users
        self._hub = hub
        self._now = now
        self._registrar = Registrar(
            authority, book, hub, show=show, prefix=prefix, clocks=Clocks(now, steady), chance=chance
        )
        self._listeners: list[Callable[[], None]] = []
        self._told_devices: tuple[Device, ...] = ()
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
            case GetUsers():
                return events.Users(await asyncio.to_thread(self._users.all))
            case AddUser():
                return await self._change_users(who, self._users.add, command.name)
            case RemoveUser():
                return await self._change_users(who, self._users.remove, command.name)
            case _:
                return await self._registrar.submit(who, command)

    async def run(self) -> None:
        """Until cancelled: write what changes, and forget the numbers that run out."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._book.run())
            tasks.create_task(self._registrar.forget())

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


def _admission(who: Principal, verdict: Entry | Problem | None) -> Admission:
    if isinstance(verdict, Entry):
        return Admission(replace(who, rights=frozenset(verdict.rights), device=verdict.id), None)
    return Admission(who, verdict)
