"""A gatekeeper with everything real but users, hub, clocks and the numbers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import cast

from slopn_helper.ipc import Hub
from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.certificates import ClientCertificate
from slopn_helper.ipc.devices import DeviceBook
from slopn_helper.ipc.gatekeeper import Gatekeeper
from slopn_helper.ipc.pairing import Chance
from slopn_helper.ipc.pki import Authority
from slopn_helper.principal import Principal
from slopn_helper.store import StoreError
from slopn_wire.commands import ConfirmPairing, Pair
from slopn_wire.devices import AllowedUser, Device, PendingPairing, UserBasis
from slopn_wire.events import Paired
from support.certificates import Key, Shown, client_context, handshake, new_key, request_for

NAMES = {0: "root", 1000: "anna", 1001: "bert", 1002: "stranger"}
NUMBER = "000042"


class Allowed:
    """Users who may, in memory: Anna and Bert by their group."""

    def __init__(self) -> None:
        self.bases = {0: UserBasis.ROOT, 1000: UserBasis.GROUP, 1001: UserBasis.GROUP}
        self.broken = False
        self._calls: list[Callable[[], None]] = []

    def basis(self, uid: int, gid: int, groups: tuple[int, ...]) -> UserBasis | None:
        """By the number alone."""
        del gid, groups
        return self.bases.get(uid)

    def all(self) -> tuple[AllowedUser, ...]:
        """By number."""
        return tuple(AllowedUser(NAMES[uid], uid, basis) for uid, basis in self.bases.items())

    def add(self, name: str) -> None:
        """Raises as the real one does."""
        self._check(name)
        self.bases[self._uid(name)] = UserBasis.ADDED
        self.changed()

    def remove(self, name: str) -> None:
        """Raises as the real one does."""
        self._check(name)
        del self.bases[self._uid(name)]
        self.changed()

    def on_change(self, call: Callable[[], None]) -> None:
        """As the real one does."""
        self._calls.append(call)

    def changed(self) -> None:
        """Tell the listeners."""
        for call in self._calls:
            call()

    def _check(self, name: str) -> None:
        if self.broken:
            raise StoreError("users.json could not be written: No space left on device")
        if name not in NAMES.values():
            raise ValueError(f"There is no user {name}.")

    def _uid(self, name: str) -> int:
        return next(uid for uid, each in NAMES.items() if each == name)


class Told:
    """What the gatekeeper tells the hub."""

    def __init__(self) -> None:
        self.devices: list[tuple[Device, ...]] = []
        self.pairings: list[tuple[PendingPairing, ...]] = []

    def set_devices(self, devices: tuple[Device, ...]) -> None:
        """Note them."""
        self.devices.append(devices)

    def set_pairings(self, pairings: tuple[PendingPairing, ...]) -> None:
        """Note them."""
        self.pairings.append(pairings)


class Gate:
    """One run of the helper's gatekeeper on a state directory; the next run may have the same one."""

    def __init__(self, state_dir: Path, now: float, prefix: Path | None = None) -> None:
        self.now = now
        self.steady = 0.0
        self.authority = Authority.open(state_dir, now, os.geteuid())
        self.book = DeviceBook.open(state_dir, self.authority.fingerprint, os.geteuid())
        self.users = Allowed()
        self.told = Told()
        self.shown: list[str] = []
        identifiers = count(1)
        self.keeper = Gatekeeper(
            self.authority,
            self.book,
            self.users,
            cast("Hub", self.told),
            show=self.shown.append,
            prefix=prefix,
            now=lambda: self.now,
            steady=lambda: self.steady,
            chance=Chance(lambda: f"p{next(identifiers)}", lambda: int(NUMBER)),
        )
        self._context = self.authority.server_context()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gate]:
        """Until the end of the block."""
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.keeper.run())
            try:
                yield self
            finally:
                task.cancel()

    def who(self, uid: int, certificate: ClientCertificate | None = None, exe: str | None = "/x/script") -> Principal:
        """A user's program that has connected."""
        return self.keeper.admit(peer(uid, exe), certificate).who

    def shake(self, shown: Shown | None) -> ClientCertificate | OSError | None:
        """A real handshake: what the helper learns of the certificate."""
        return handshake(self._context, client_context(self.authority.certificate, shown)).server

    async def paired(self, uid: int, key: Key | None = None, name: str = "window") -> tuple[Shown, str]:
        """A front end of that user, paired by a number if need be; and its device."""
        key = new_key() if key is None else key
        who = self.who(uid)
        result = await self.keeper.submit(who, Pair(name, request_for(key)))
        if not isinstance(result, Paired):
            result = await self.keeper.submit(who, ConfirmPairing(self.told.pairings[-1][-1].id, NUMBER))
        assert isinstance(result, Paired), result
        return Shown(key, result.certificate), result.device

    def connected(self, device: str) -> Principal:
        """A live connection of a paired front end, without the handshake."""
        entry = self.book.registry.find(device)
        assert entry is not None
        return self.who(entry.uid, ClientCertificate(entry.serial, entry.id, self.now, self.now + 1e6))


def peer(uid: int, exe: str | None = "/x/script", user: str | None = None) -> Credentials:
    """A process of that user."""
    return Credentials(uid=uid, gid=uid, pid=42, exe=exe, user=NAMES[uid] if user is None else user, session="c2")
