"""The users and groups of this computer by the C library (nsswitch.conf(5)): files, sssd, LDAP, systemd-homed.

Any of these calls may hang, for minutes where a directory server is away. Each runs on a thread of its own and is waited
for only for a moment; what comes later counts from then on, and `changes` tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import logging
import os
import pwd
import threading
import time
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from slopn_helper.host.accounts import GROUP, Account, NoAnswer

log = logging.getLogger(__name__)

FRESH = 5.0
"""Seconds for which an answer is taken as it is, while the files of users and groups stay as they are."""
TICK = 2.0
"""Seconds between two looks at the files' times."""
AGAIN = 60.0
"""Seconds after which all that is known is asked again: a directory server announces nothing."""
PATIENCE, PATIENCE_A_SECOND = 0.2, 0.02
"""Seconds that all calls may block together at once, and how many come back with each second: so much, and no more, can
a slow directory server take away from the rest of the helper."""
FIND_WITHIN = 1.0
"""Seconds that `find` may block for."""
_PAUSE = 0.01
MOST_THREADS, MOST_ANSWERS = 8, 512
"""More threads than these never hang. More users than these are forgotten; one that connects is asked for again."""
FILES = (Path("/etc/passwd"), Path("/etc/group"), Path("/etc/nsswitch.conf"))
_PASSWD = FILES[0]

_T = TypeVar("_T")
_Stamp = tuple[tuple[int, int, int] | None, ...]


class NssAccounts:
    """An `Accounts` by NSS. Without somebody who iterates over `changes`, a change is found by the next question."""

    def __init__(self, group: str = GROUP) -> None:
        self._group_name = group
        self._users: dict[int, _Question[Account]] = {}
        self._names: dict[str, _Question[Account | None]] = {}
        self._group: _Question[int | None] = _Question(self._ask_group, None)
        self._members: _Question[tuple[Account, ...]] = _Question(self._ask_members, ())
        self._patience = _Patience()
        self._threads = threading.BoundedSemaphore(MOST_THREADS)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()

    def get(self, uid: int) -> Account:
        """The user of this number."""
        question = _take(self._users, uid, lambda: _Question(lambda known: self._ask_user(uid, known), _unknown(uid)))
        return self._answer(question)

    def find(self, name: str) -> Account | None:
        """The user of this name. Raises `NoAnswer`."""
        question = _take(self._names, name, lambda: _Question[Account | None](lambda _: self._ask_name(name), None))
        # Root wants to know, and waits on a thread: others may have used up what time there is for looking users up.
        until = time.monotonic() + FIND_WITHIN
        while not question.is_fresh(_stamp()) and time.monotonic() < until:
            self._answer(question)
            time.sleep(_PAUSE)
        answer = question.value
        if not question.answered:
            raise NoAnswer
        return answer

    def group(self) -> int | None:
        """The number of the group."""
        return self._answer(self._group)

    def members(self) -> tuple[Account, ...]:
        """The members that the group lists, and the users in /etc/passwd whose own group it is."""
        return self._answer(self._members)

    async def changes(self) -> AsyncGenerator[None, None]:
        """Again after each change. Ends only when its task is cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._news.wait()
            if self._news.is_set():
                self._news.clear()
                yield
            else:
                self._ask_again()

    def _answer(self, question: _Question[_T]) -> _T:
        stamp = _stamp()
        for _ in range(2):  # what was asked before the files changed says nothing of them now
            if question.is_fresh(stamp):
                break
            self._start(question, stamp)
            if not question.running or not self._patience.wait(question.done):
                break
        question.told = question.value
        return question.value

    def _ask_again(self) -> None:
        stamp, now = _stamp(), time.monotonic()
        questions: list[_Question[Any]] = [self._group, self._members, *self._users.values()]
        for question in questions:
            if question.told is not _NOBODY and (question.stamp != stamp or now - question.at > AGAIN):
                self._start(question, stamp)

    def _start(self, question: _Question[_T], stamp: _Stamp) -> None:
        if question.running or not self._threads.acquire(blocking=False):
            return
        question.running = True
        question.done.clear()
        threading.Thread(target=self._run, args=(question, stamp), name="accounts", daemon=True).start()

    def _run(self, question: _Question[_T], stamp: _Stamp) -> None:
        try:
            for value in question.ask(question.value):
                question.value = value
            question.stamp, question.at, question.answered = stamp, time.monotonic(), True
        except OSError as error:
            log.info("the user database gives no answer: %s", error)
        finally:
            question.running = False
            question.done.set()
            self._threads.release()
        if question.told is not _NOBODY and question.told != question.value and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._news.set)

    def _ask_user(self, uid: int, known: Account) -> Iterator[Account]:
        try:
            entry = pwd.getpwuid(uid)
        except (KeyError, OverflowError):
            yield Account(uid, None, member=False)
            return
        # The name may come from a file where the groups need the network: it counts at once.
        yield Account(uid, entry.pw_name, known.member if known.name == entry.pw_name else None)
        yield Account(uid, entry.pw_name, self._is_member(entry))

    def _ask_name(self, name: str) -> Iterator[Account | None]:
        try:
            entry = pwd.getpwnam(name)
        except (KeyError, ValueError):
            yield None
        else:
            yield Account(entry.pw_uid, entry.pw_name, self._is_member(entry))

    def _ask_group(self, _: int | None) -> Iterator[int | None]:
        yield self._find_group()[0]

    def _ask_members(self, _: tuple[Account, ...]) -> Iterator[tuple[Account, ...]]:
        number, names = self._find_group()
        found = []
        for name in dict.fromkeys((*names, *_own_group(number))):
            with contextlib.suppress(KeyError):
                found.append(Account(pwd.getpwnam(name).pw_uid, name, member=True))
        yield tuple(found)

    def _is_member(self, entry: pwd.struct_passwd) -> bool:
        number, names = self._find_group()
        if number is None:
            return False
        # In this order: the group's own list often comes from a file, all groups of a user may need the network. But
        # that list may be empty or cut (sssd can leave it out), and the group may stand in two databases.
        return (
            entry.pw_gid == number or entry.pw_name in names or number in os.getgrouplist(entry.pw_name, entry.pw_gid)
        )

    def _find_group(self) -> tuple[int | None, list[str]]:
        try:
            found = grp.getgrnam(self._group_name)
        except KeyError:
            return None, []
        return found.gr_gid, found.gr_mem


_NOBODY = object()


class _Question(Generic[_T]):
    """Something to ask the user database, and the last answer."""

    def __init__(self, ask: Callable[[_T], Iterator[_T]], unknown: _T) -> None:
        self.ask = ask
        """Called on a thread with the last answer; each value is better than the one before."""
        self.value = unknown
        self.told: object = _NOBODY
        """What a caller was told last."""
        self.answered = self.running = False
        self.at = 0.0
        self.stamp: _Stamp | None = None
        self.done = threading.Event()

    def is_fresh(self, stamp: _Stamp) -> bool:
        """Whether the last answer still holds."""
        return self.answered and self.stamp == stamp and time.monotonic() - self.at < FRESH


class _Patience:
    """For how long calls may still block."""

    def __init__(self) -> None:
        self._left = PATIENCE
        self._at = time.monotonic()

    def wait(self, event: threading.Event) -> bool:
        """Whether the event came in time."""
        start = time.monotonic()
        left = min(PATIENCE, self._left + (start - self._at) * PATIENCE_A_SECOND)
        came = event.wait(left)
        self._at = time.monotonic()
        self._left = max(0.0, left - (self._at - start))
        return came


_K = TypeVar("_K", bound=Hashable)


def _take(questions: dict[_K, _Question[_T]], key: _K, make: Callable[[], _Question[_T]]) -> _Question[_T]:
    """The question of this key, moved to the end; the first one goes when there are too many."""
    question = questions.pop(key, None) or make()
    questions[key] = question
    if len(questions) > MOST_ANSWERS:
        del questions[next(iter(questions))]
    return question


def _unknown(uid: int) -> Account:
    return Account(uid, None, None)


def _stamp() -> _Stamp:
    return tuple(map(_file_stamp, FILES))


def _file_stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _own_group(number: int | None) -> list[str]:
    """Users whose own group it is: by the file alone, since a directory may list a hundred thousand."""
    if number is None:
        return []
    try:
        lines = _PASSWD.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []
    rows = (line.split(":") for line in lines)
    return [row[0] for row in rows if len(row) > 3 and row[3] == str(number)]
