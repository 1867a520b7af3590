"""Which users of this computer may use SloPN: root, the group `slopn`, those that root added, and who sits at it.

The user database says who is in the group, not the process: somebody taken out of it has lost the right at once, though
programs that run already keep the group in their credentials until the next login, and somebody put into it needn't log
in again. The process's groups (SO_PEERGROUPS) count only as long as the database gives no answer: they are what it
said at the login. A program that was lent the group otherwise (sg(1), `SupplementaryGroups=` of a service) isn't a
member: `slopn users add` is for its user.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from slopn_helper import health
from slopn_helper.files import make_directory, sync_directory, write_file
from slopn_helper.host.accounts import GROUP, Account, Accounts, NoAnswer
from slopn_helper.host.seats import SeatMonitor
from slopn_helper.store import StoreError
from slopn_helper.store.documents import Damaged, NewerFormat, pack, unpack
from slopn_wire.devices import AllowedUser, UserBasis
from slopn_wire.events import Warning  # noqa: A004 - the health list's word

log = logging.getLogger(__name__)

FILE = "users.json"
"""Its name in the state directory."""


class AddedUser(Struct, frozen=True):
    """Somebody whom root let in. Both must still belong together: numbers are given away again, names too."""

    uid: int
    name: str


class AddedUsers(Struct, frozen=True):
    """The file's content."""

    users: tuple[AddedUser, ...] = ()


class AllowedUsers:
    """A `Users`. Its file is read at once: raises `StoreError` if it can't be, or a newer SloPN wrote it.

    `local_user` is the setting of that name; `set_local_user` changes it.
    """

    def __init__(self, state_dir: Path, accounts: Accounts, *, local_user: bool) -> None:
        self._path = state_dir / FILE
        self._accounts = accounts
        self._local_user = local_user
        self._seated: frozenset[int] = frozenset()
        self._calls: list[Callable[[], None]] = []
        self.warnings: tuple[Warning, ...] = ()
        """For the health list: what was damaged."""
        self._added = self._load()

    def basis(self, uid: int, gid: int, groups: tuple[int, ...]) -> UserBasis | None:
        """Why a process with these credentials may; None: it may not. Blocks for a moment at most."""
        if uid == 0:
            return UserBasis.ROOT
        account = self._accounts.get(uid)
        member = account.member
        if member is None:
            group = self._accounts.group()
            member = group is not None and group in (gid, *groups)
        if member:
            return UserBasis.GROUP
        if self._is_added(account):
            return UserBasis.ADDED
        if self._local_user and uid in self._seated:
            return UserBasis.SEAT
        return None

    def all(self) -> tuple[AllowedUser, ...]:
        """Everybody who may, by name; each once, for the reason that holds longest."""
        found = {0: AllowedUser(self._name(0), 0, UserBasis.ROOT)}
        for member in self._accounts.members():
            found.setdefault(member.uid, AllowedUser(member.name or str(member.uid), member.uid, UserBasis.GROUP))
        for each in self._added:
            if self._is_added(self._accounts.get(each.uid)):
                found.setdefault(each.uid, AllowedUser(each.name, each.uid, UserBasis.ADDED))
        for uid in self._seated if self._local_user else ():
            found.setdefault(uid, AllowedUser(self._name(uid), uid, UserBasis.SEAT))
        return tuple(sorted(found.values(), key=lambda user: (user.name, user.uid)))

    def open_to_others(self) -> bool:
        """Whether others than root and the group may connect: the socket must let everybody in then, and we look."""
        return self._local_user or bool(self._added)

    def add(self, name: str) -> None:
        """Let `name` use SloPN from now on. Raises `ValueError` with a sentence, `StoreError`."""
        account = self._find(name)
        if account.uid == 0:
            raise ValueError(f"{account.name} may always use SloPN.")
        if account.member:
            raise ValueError(f"{account.name} may use SloPN already, as a member of the group {GROUP}.")
        if self._is_added(account):
            raise ValueError(f"{account.name} may use SloPN already.")
        new = AddedUser(account.uid, account.name or name)
        # An older entry of this name or number is of somebody who is no more.
        self._save(*(each for each in self._added if each.uid != new.uid and each.name != new.name), new)

    def remove(self, name: str) -> None:
        """Take back `add`. Raises `ValueError` with a sentence, `StoreError`.

        `ValueError` also when it was taken back but the user may still, for another reason: the sentence says which.
        """
        left = tuple(each for each in self._added if each.name != name)
        was_added = left != self._added
        if was_added:
            self._save(*left)
        try:
            account = self._find(name)
        except ValueError:
            if was_added:
                return
            raise
        still = self._still(account)
        if still is not None:
            raise ValueError(f"{still} What `slopn users add` gave is taken back." if was_added else still)
        if not was_added:
            raise ValueError(f"{name} may not use SloPN anyway.")

    def on_change(self, call: Callable[[], None]) -> None:
        """`call` whenever somebody may have lost or gained access; in the event loop, or in `add` or `remove`."""
        self._calls.append(call)

    def set_local_user(self, allowed: bool) -> None:  # noqa: FBT001 - the setting's value
        """Whether who sits at this computer may use SloPN."""
        if allowed != self._local_user:
            self._local_user = allowed
            self._changed()

    async def run(self, seats: SeatMonitor) -> None:
        """Follow the seats and the user database until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_seats(seats))
            tasks.create_task(self._follow_accounts())

    async def _follow_seats(self, seats: SeatMonitor) -> None:
        async for uids in seats.changes():
            if uids != self._seated:
                log.info("at this computer's screen: %s", ", ".join(map(self._name, sorted(uids))) or "nobody")
                self._seated = uids
                self._changed()

    async def _follow_accounts(self) -> None:
        async for _ in self._accounts.changes():
            self._changed()

    def _changed(self) -> None:
        for call in self._calls:
            call()

    def _is_added(self, account: Account) -> bool:
        return any(each.uid == account.uid and each.name == account.name for each in self._added)

    def _name(self, uid: int) -> str:
        return self._accounts.get(uid).name or str(uid)

    def _find(self, name: str) -> Account:
        try:
            account = self._accounts.find(name)
        except NoAnswer:
            raise ValueError("This computer's user database gives no answer. Try again in a moment.") from None
        if account is None:
            raise ValueError(f"There is no user “{name}” on this computer.")
        return account

    def _still(self, account: Account) -> str | None:
        """Why `account` may use SloPN though nobody added them, and how to change that."""
        if account.uid == 0:
            return f"{account.name} may always use SloPN."
        if account.member:
            command = f"sudo gpasswd -d {account.name} {GROUP}"
            return f"{account.name} may use SloPN as a member of the group {GROUP}: `{command}` takes that back."
        if self._local_user and account.uid in self._seated:
            command = "slopn settings set local_user no"
            return f"{account.name} may use SloPN while at this computer's screen: `{command}` takes that back."
        return None

    def _load(self) -> tuple[AddedUser, ...]:
        try:
            return unpack(self._path.read_bytes(), AddedUsers).users
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StoreError(f"{self._path} could not be read: {error.strerror}") from None
        except NewerFormat as error:
            raise StoreError(f"{self._path} was written by a newer SloPN ({error}); install that one again") from None
        except Damaged:
            aside = self._set_aside()
            self.warnings = (health.warning("users_damaged", file=aside.name),)
            return ()

    def _set_aside(self) -> Path:
        number = 1
        while (aside := self._path.with_name(f"{FILE}.corrupt-{number}")).exists():
            number += 1
        try:
            self._path.rename(aside)
            sync_directory(aside.parent)
        except OSError as error:
            raise StoreError(f"{self._path} is damaged and could not be set aside: {error.strerror}") from None
        return aside

    def _save(self, *users: AddedUser) -> None:
        try:
            make_directory(self._path.parent)
            write_file(self._path, pack(AddedUsers(tuple(sorted(users, key=lambda user: user.name)))))
        except OSError as error:
            raise StoreError(f"{self._path} could not be written: {error.strerror}") from None
        self._added = users
        self._changed()
