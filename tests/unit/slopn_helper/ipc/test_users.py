from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slopn_helper.ipc.users import AllowedUsers
from slopn_wire.devices import UserBasis
from support.accounts import ADA, BOB, EVE, GROUP, ROOT, FakeAccounts
from support.aio import in_loop
from support.until import until_async


class FakeSeats:
    """A `SeatMonitor` that is told who sits there."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[frozenset[int]] = asyncio.Queue()

    def current(self) -> frozenset[int]:
        """Nobody asks."""
        return frozenset()

    async def changes(self) -> AsyncIterator[frozenset[int]]:
        """What the test puts in."""
        while True:
            yield await self.says.get()


@pytest.fixture
def accounts() -> FakeAccounts:
    """The user database."""
    return FakeAccounts()


@pytest.fixture
def users(tmp_path: Path, accounts: FakeAccounts) -> AllowedUsers:
    """Nobody added yet, nobody at the screen."""
    return AllowedUsers(tmp_path, accounts, local_user=True)


def basis(users: AllowedUsers, uid: int, *groups: int) -> UserBasis | None:
    """Why a process of `uid` may, that is in a group of its own and in `groups`."""
    return users.basis(uid, uid, groups)


def seat(users: AllowedUsers, *uids: int) -> None:
    """Let these sit at the screen."""
    users._seated = frozenset(uids)


def test_root_and_the_group_may_and_nobody_else(users: AllowedUsers) -> None:
    """Without anybody added or at the screen, these are all."""
    assert [basis(users, uid) for uid in (ROOT, ADA, BOB, 4711)] == [UserBasis.ROOT, UserBasis.GROUP, None, None]


def test_the_database_says_who_is_in_the_group(users: AllowedUsers, accounts: FakeAccounts) -> None:
    """Who was taken out of the group may no more, though the process keeps it; who was put in needn't log in again."""
    assert basis(users, BOB, GROUP) is None
    assert users.basis(BOB, GROUP, ()) is None
    accounts.in_group = {BOB}
    assert basis(users, BOB) is UserBasis.GROUP
    assert basis(users, ADA, GROUP) is None


def test_the_process_counts_while_the_database_does_not_answer(users: AllowedUsers, accounts: FakeAccounts) -> None:
    """When the directory server is away, members who are logged in aren't locked out, and others aren't let in."""
    accounts.answers = False
    assert basis(users, ADA, GROUP) is UserBasis.GROUP
    assert users.basis(ADA, GROUP, ()) is UserBasis.GROUP
    assert basis(users, ADA, 27, 100) is None
    assert basis(users, ROOT) is UserBasis.ROOT


def test_an_added_user_may_until_removed(users: AllowedUsers) -> None:
    """Both count at once."""
    users.add("bob")
    assert basis(users, BOB) is UserBasis.ADDED
    users.remove("bob")
    assert basis(users, BOB) is None


@pytest.mark.parametrize("names", [{ADA: "ada", BOB: "mallory"}, {ADA: "ada", EVE: "bob"}, {ADA: "ada"}])
def test_a_name_and_a_number_must_still_belong_together(
    users: AllowedUsers, accounts: FakeAccounts, names: dict[int, str]
) -> None:
    """Neither the next owner of the number nor the next owner of the name inherits the right."""
    users.add("bob")
    accounts.names = {ROOT: "root", **names}
    assert [basis(users, uid) for uid in (BOB, EVE)] == [None, None]
    assert [user.name for user in users.all()] == ["ada", "root"]


def test_a_name_with_another_number_can_be_added_anew(users: AllowedUsers, accounts: FakeAccounts) -> None:
    """The entry of the old owner goes with it: if the old number comes back, it has no right."""
    users.add("bob")
    accounts.names = {ROOT: "root", EVE: "bob"}
    users.add("bob")
    assert basis(users, EVE) is UserBasis.ADDED
    accounts.names = {ROOT: "root", BOB: "bob"}
    assert basis(users, BOB) is None


def test_who_sits_here_may_while_the_setting_is_on(users: AllowedUsers) -> None:
    """And only then; others at other screens too."""
    seat(users, BOB, EVE)
    assert [basis(users, uid) for uid in (BOB, EVE, 4711)] == [UserBasis.SEAT, UserBasis.SEAT, None]
    users.set_local_user(False)
    assert basis(users, BOB) is None


def test_everybody_is_listed_once_for_the_reason_that_holds_longest(users: AllowedUsers) -> None:
    """By name; a member of the group who was added and sits here is a member of the group."""
    users.add("bob")
    seat(users, ADA, BOB, EVE, 4711)
    found = [(user.name, user.uid, user.basis) for user in users.all()]
    assert found == [
        ("4711", 4711, UserBasis.SEAT),
        ("ada", ADA, UserBasis.GROUP),
        ("bob", BOB, UserBasis.ADDED),
        ("eve", EVE, UserBasis.SEAT),
        ("root", ROOT, UserBasis.ROOT),
    ]
    assert all(basis(users, uid) is why for _, uid, why in found)


def test_the_socket_is_open_to_others_only_while_others_may(users: AllowedUsers) -> None:
    """With the setting off and nobody added, the kernel turns everybody but root and the group away."""
    assert users.open_to_others()
    users.set_local_user(False)
    assert not users.open_to_others()
    users.add("bob")
    assert users.open_to_others()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nobody", "There is no user “nobody” on this computer."),
        ("root", "root may always use SloPN."),
        ("ada", "ada may use SloPN already, as a member of the group slopn."),
        ("eve", "eve may use SloPN already."),
    ],
)
def test_adding_says_why_not(users: AllowedUsers, name: str, sentence: str) -> None:
    """Somebody unknown, or who may already."""
    users.add("eve")
    with pytest.raises(ValueError) as raised:
        users.add(name)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nobody", "There is no user “nobody” on this computer."),
        ("root", "root may always use SloPN."),
        (
            "ada",
            "ada may use SloPN as a member of the group slopn: `sudo gpasswd -d ada slopn` takes that back.",
        ),
        (
            "eve",
            "eve may use SloPN while at this computer's screen: `slopn settings set local_user no` takes that back.",
        ),
        ("bob", "bob may not use SloPN anyway."),
    ],
)
def test_removing_says_why_not(users: AllowedUsers, name: str, sentence: str) -> None:
    """Somebody who wasn't added: the sentence says what would take the right away."""
    seat(users, EVE)
    with pytest.raises(ValueError) as raised:
        users.remove(name)
    assert str(raised.value) == sentence


def test_removing_says_when_it_is_not_enough(users: AllowedUsers, accounts: FakeAccounts) -> None:
    """Who was added and joined the group later still may: nobody shall believe that the right is gone."""
    users.add("bob")
    accounts.in_group.add(BOB)
    with pytest.raises(ValueError, match="as a member of the group slopn") as raised:
        users.remove("bob")
    assert str(raised.value).endswith("What `slopn users add` gave is taken back.")
    accounts.in_group.clear()
    assert basis(users, BOB) is None


def test_a_user_who_is_no_more_can_be_removed(users: AllowedUsers, accounts: FakeAccounts) -> None:
    """By the name that was added, without the user database's help."""
    users.add("bob")
    del accounts.names[BOB]
    users.remove("bob")
    accounts.names[BOB] = "bob"
    assert basis(users, BOB) is None


def test_without_an_answer_nobody_is_added(users: AllowedUsers, accounts: FakeAccounts) -> None:
    """The sentence says so; and that a removal is done all the same."""
    users.add("bob")
    accounts.answers = False
    with pytest.raises(ValueError, match="gives no answer"):
        users.add("eve")
    users.remove("bob")
    accounts.answers = True
    assert basis(users, BOB) is None


def test_each_change_is_told(users: AllowedUsers) -> None:
    """Adding, removing and the setting; a setting that stays as it was tells nothing."""
    told: list[str] = []
    users.on_change(lambda: told.append("changed"))
    users.add("bob")
    users.remove("bob")
    users.set_local_user(True)
    assert len(told) == 2
    users.set_local_user(False)
    assert len(told) == 3


@in_loop
async def test_the_screen_and_the_database_are_followed(tmp_path: Path) -> None:
    """Who sits down may, who gets up may no more, and a change of the user database is told on."""
    accounts, seats, told = FakeAccounts(), FakeSeats(), list[UserBasis | None]()
    users = AllowedUsers(tmp_path, accounts, local_user=True)
    users.on_change(lambda: told.append(basis(users, BOB)))
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(users.run(seats))
        for uids in ({BOB}, {BOB}, set[int]()):
            seats.says.put_nowait(frozenset(uids))
        await until_async(lambda: told == [UserBasis.SEAT, None], 5, "sat down, got up")
        accounts.in_group.add(BOB)
        accounts.news.set()
        await until_async(lambda: told == [UserBasis.SEAT, None, UserBasis.GROUP], 5, "joined the group")
        task.cancel()
