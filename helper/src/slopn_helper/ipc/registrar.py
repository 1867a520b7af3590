"""Pairs front ends, renews, renames and revokes them: what the gatekeeper does beside judging."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from slopn_helper.ipc import Hub
from slopn_helper.ipc.certificates import read_request
from slopn_helper.ipc.devices import DeviceBook
from slopn_helper.ipc.executables import is_ours
from slopn_helper.ipc.pairing import Asker, Chance, Manner, Moment, Pairings, manner
from slopn_helper.ipc.pki import Authority
from slopn_helper.ipc.registry import Entry, name_problem
from slopn_helper.ipc.verdicts import Problem
from slopn_helper.principal import Principal
from slopn_helper.store import StoreError
from slopn_wire import events
from slopn_wire.commands import ConfirmPairing, GetPairings, Pair, RenameDevice, Renew, RevokeDevice
from slopn_wire.devices import PendingPairing, Right, ShownPairing
from slopn_wire.events import Done, ErrorKind, NumberNeeded, Paired, Refused, Result

RegistrarCommand = Pair | ConfirmPairing | Renew | GetPairings | RenameDevice | RevokeDevice

_log = logging.getLogger(__name__)


class Clocks(NamedTuple):
    """The two clocks, as in `Moment`."""

    unix: Callable[[], float]
    steady: Callable[[], float]


class Registrar:
    """Serves users who may use SloPN, in the event loop's thread. `forget` must run beside it; `book.run` too.

    `show` and `prefix` are as in `Gatekeeper`.
    """

    def __init__(
        self,
        authority: Authority,
        book: DeviceBook,
        hub: Hub,
        *,
        show: Callable[[str], None],
        prefix: Path | None,
        clocks: Clocks,
        chance: Chance,
    ) -> None:
        self._authority = authority
        self._book = book
        self._hub = hub
        self._show = show
        self._prefix = prefix
        self._clocks = clocks
        self._pairings = Pairings(chance)
        self._told: tuple[PendingPairing, ...] = ()
        self._wake = asyncio.Event()

    async def submit(self, who: Principal, command: RegistrarCommand) -> Result:
        """Carry out `command`. Whose device it is about is checked here."""
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

    async def forget(self) -> None:
        """Let the numbers vanish that run out, until cancelled."""
        while True:
            self._wake.clear()
            self._expire()
            ends = self._pairings.next_end()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if ends is None else ends - self._clocks.steady()):
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
        ours = await asyncio.to_thread(is_ours, who.exe, self._prefix, who.pid)
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
        now = self._clocks.unix()
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
            issued = self._authority.issue(request, entry.id, self._clocks.unix())
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

    def _may_touch(self, who: Principal, device: str) -> bool:
        entry = self._book.registry.find(device)
        return entry is not None and (who.uid == 0 or (entry.uid, entry.user) == (who.uid, who.user))

    def _moment(self) -> Moment:
        return Moment(self._clocks.unix(), self._clocks.steady())

    def _expire(self) -> None:
        self._pairings.expire(self._clocks.steady())
        self._tell_pairings()

    def _tell_pairings(self) -> None:
        waiting = self._pairings.waiting()
        if waiting != self._told:
            self._told = waiting
            self._hub.set_pairings(waiting)


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
