from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from slopn_helper.host.accounts import Account, NoAnswer, nss
from slopn_helper.host.accounts.nss import NssAccounts
from support.aio import in_loop
from support.until import until, until_async

SLOPN = 990


class Database:
    """A user database in memory that stands for NSS; each part of it can be made to hang."""

    def __init__(self, folder: Path) -> None:
        self.users = {"root": (0, 0), "ada": (1000, 1000), "bob": (1001, 1001)}
        self.group: list[str] | None = ["ada"]
        self.elsewhere: set[str] = set()
        """Members by a database that doesn't show up in the group's own list."""
        self.files = (folder / "passwd", folder / "group")
        self.open = {part: threading.Event() for part in ("users", "group", "groups")}
        for gate in self.open.values():
            gate.set()
        self.asked = 0
        self.touch()

    def touch(self) -> None:
        """Write the files anew, as useradd(8) and gpasswd(1) do."""
        self.files[1].write_text("")
        self.files[0].write_text("".join(f"{name}:x:{uid}:{gid}::/:\n" for name, (uid, gid) in self.users.items()))

    def getpwuid(self, uid: int) -> SimpleNamespace:
        """As pwd's."""
        self.open["users"].wait()
        self.asked += 1
        return next((self._entry(name) for name, (found, _) in self.users.items() if found == uid), None) or _raise()

    def getpwnam(self, name: str) -> SimpleNamespace:
        """As pwd's."""
        self.open["users"].wait()
        return self._entry(name) if name in self.users else _raise()

    def getgrnam(self, name: str) -> SimpleNamespace:
        """As grp's."""
        self.open["group"].wait()
        return (
            SimpleNamespace(gr_gid=SLOPN, gr_mem=self.group) if name == "slopn" and self.group is not None else _raise()
        )

    def getgrouplist(self, name: str, gid: int) -> list[int]:
        """As os's."""
        self.open["groups"].wait()
        return [gid, SLOPN] if name in self.elsewhere else [gid]

    def _entry(self, name: str) -> SimpleNamespace:
        uid, gid = self.users[name]
        return SimpleNamespace(pw_name=name, pw_uid=uid, pw_gid=gid)


def _raise() -> SimpleNamespace:
    raise KeyError


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The database, in NSS's place."""
    made = Database(tmp_path)
    monkeypatch.setattr(nss, "pwd", made)
    monkeypatch.setattr(nss, "grp", made)
    monkeypatch.setattr(os, "getgrouplist", made.getgrouplist)
    monkeypatch.setattr(nss, "FILES", made.files)
    monkeypatch.setattr(nss, "_PASSWD", made.files[0])
    # However busy the machine is, an answer that comes counts as one that came in time.
    monkeypatch.setattr(nss, "PATIENCE", 20.0)
    yield made
    for gate in made.open.values():
        gate.set()


def test_members_are_found_wherever_they_stand(database: Database) -> None:
    """In the group's list, by their own group, or in a database that the list doesn't show."""
    database.users |= {"eve": (1002, SLOPN), "far": (1003, 1003)}
    database.elsewhere = {"far"}
    accounts = NssAccounts()
    assert [accounts.get(uid).member for uid in (1000, 1001, 1002, 1003)] == [True, False, True, True]


def test_who_is_unknown_is_no_member(database: Database) -> None:
    """A number without a user has no name; numbers that no C library takes are answered too."""
    accounts = NssAccounts()
    assert accounts.get(4711) == Account(4711, None, member=False)
    assert accounts.get(2**32) == Account(2**32, None, member=False)
    assert database.asked == 2


def test_names_are_found(database: Database) -> None:
    """A user by name; None for names that aren't any, also those that the C library can't be asked."""
    accounts = NssAccounts()
    assert accounts.find("bob") == Account(1001, "bob", member=False)
    assert accounts.find("nobody") is None
    del database.users["bob"]
    assert NssAccounts().find("bob") is None


@pytest.mark.parametrize("name", ["a\0b", "\udcff"])
def test_no_name_breaks_the_question(name: str) -> None:
    """The real C library binding refuses a zero byte and half a character; that is nobody's name."""
    assert NssAccounts().find(name) is None


def test_all_members_are_listed(database: Database) -> None:
    """Those of the list who exist, and those whose own group it is; each once."""
    database.users |= {"eve": (1002, SLOPN)}
    database.group = ["ada", "ghost", "eve"]
    database.touch()
    accounts = NssAccounts()
    assert [(each.name, each.uid) for each in accounts.members()] == [("ada", 1000), ("eve", 1002)]
    assert accounts.group() == SLOPN


def test_without_the_group_nobody_is_a_member(database: Database) -> None:
    """The packages may not have made it yet."""
    database.group = None
    accounts = NssAccounts()
    assert (accounts.group(), accounts.members(), accounts.get(1000).member) == (None, (), False)


def test_a_change_of_the_files_counts_at_once(database: Database) -> None:
    """A group that is made, and a member who is added or removed, are seen by the next question without a restart."""
    database.group = None
    accounts = NssAccounts()
    assert accounts.get(1001).member is False
    for members in (["bob"], [], ["bob"]):
        database.group = members
        database.touch()
        assert accounts.get(1001).member is bool(members)
    assert accounts.group() == SLOPN


def test_what_is_known_is_not_asked_again(database: Database) -> None:
    """A second connection of the same user costs no question while nothing has changed."""
    accounts = NssAccounts()
    for _ in range(50):
        accounts.get(1000)
    assert database.asked == 1


def test_an_old_answer_is_asked_for_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory server changes no file here: what it said holds for seconds only."""
    monkeypatch.setattr(nss, "FRESH", 0.0)
    accounts = NssAccounts()
    assert accounts.get(1001).member is False
    database.elsewhere = {"bob"}
    assert accounts.get(1001).member is True


def test_a_hanging_directory_leaves_what_the_files_say(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name and membership by file count, though the question for all groups of a user never ends."""
    monkeypatch.setattr(nss, "PATIENCE", 0.2)
    database.open["groups"].clear()
    accounts = NssAccounts()
    assert accounts.get(1000) == Account(1000, "ada", member=True)
    assert accounts.get(1001) == Account(1001, "bob", member=None)
    database.elsewhere = {"bob"}
    database.open["groups"].set()
    until(lambda: accounts.get(1001).member is True, 5, "the late answer counts")


def test_a_hanging_database_gives_no_answer_and_takes_little_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All questions together wait for a moment, not each; no more threads hang than allowed."""
    monkeypatch.setattr(nss, "PATIENCE", 0.05)
    monkeypatch.setattr(nss, "PATIENCE_A_SECOND", 0.0)
    database.open["users"].clear()
    accounts = NssAccounts()
    before = threading.active_count()
    for uid in range(2000, 2100):
        assert accounts.get(uid) == Account(uid, None, None)
    assert accounts._patience._left == 0.0
    assert threading.active_count() - before <= nss.MOST_THREADS
    with pytest.raises(NoAnswer):
        accounts.find("ada")


def test_a_name_is_found_though_others_have_used_up_the_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever connects under many numbers can't keep root from letting a user in."""
    monkeypatch.setattr(nss, "PATIENCE", 0.0)
    accounts = NssAccounts()
    database.open["users"].clear()
    numbers = range(2000, 2000 + nss.MOST_THREADS)
    assert [accounts.get(number).name for number in numbers] == [None] * nss.MOST_THREADS
    threading.Timer(0.1, database.open["users"].set).start()
    assert accounts.find("bob") == Account(1001, "bob", member=False)


def test_an_old_answer_stays_while_there_is_no_new_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is thrown out because the directory server is away."""
    accounts = NssAccounts()
    assert accounts.get(1000).member is True
    monkeypatch.setattr(nss, "FRESH", 0.0)
    monkeypatch.setattr(accounts._patience, "wait", lambda _: False)
    database.open["group"].clear()
    assert accounts.get(1000) == Account(1000, "ada", member=True)


def test_a_database_that_fails_gives_no_answer(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the C library isn't the answer that there is no such user."""
    accounts = NssAccounts()

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(database, "getpwuid", fail)
    assert accounts.get(1000) == Account(1000, None, None)


def test_strangers_without_number_are_forgotten(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with a hundred thousand numbers of a user namespace fills no memory."""
    monkeypatch.setattr(nss, "MOST_ANSWERS", 4)
    accounts = NssAccounts()
    for uid in range(100_000, 100_020):
        accounts.get(uid)
    assert list(accounts._users) == list(range(100_016, 100_020))
    assert database.asked == 20


@contextlib.asynccontextmanager
async def followed(accounts: NssAccounts) -> AsyncIterator[asyncio.Event]:
    """Set as soon as `changes` tells of one."""
    told = asyncio.Event()

    async def follow() -> None:
        async for _ in accounts.changes():
            told.set()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(follow())
        await asyncio.sleep(0)
        yield told
        task.cancel()


@in_loop
async def test_a_removed_member_is_told_of(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody taken out of the group is noticed though nobody asks; what hasn't changed is not told."""
    monkeypatch.setattr(nss, "TICK", 0.01)
    accounts = NssAccounts()
    async with followed(accounts) as told:
        assert accounts.get(1000).member is True
        database.touch()
        await until_async(lambda: database.asked == 2, 5, "asked again")
        assert not told.is_set()
        database.group = []
        database.touch()
        await until_async(told.is_set, 5, "the change is told")
        assert accounts.get(1000).member is False


@in_loop
async def test_a_late_answer_is_told_of(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was judged without an answer is judged again when it comes."""
    monkeypatch.setattr(nss, "PATIENCE", 0.01)
    accounts = NssAccounts()
    async with followed(accounts) as told:
        database.open["users"].clear()
        assert accounts.get(1000).member is None
        database.open["users"].set()
        await until_async(told.is_set, 5, "the answer is told")
        assert accounts.get(1000).member is True
