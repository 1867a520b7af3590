from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from slopn_helper.host.seats import logind
from slopn_helper.host.seats.logind import Link, LogindSeats, Unreachable, sitting
from support.aio import in_loop
from support.until import until_async

SEAT = ("seat0", "/org/freedesktop/login1/seat/seat0")
NO_SEAT = ("", "/")


def session(**differs: object) -> dict[str, Any]:
    """The properties of an ordinary session at the screen of user 1000, but for what `differs`."""
    user = differs.pop("uid", 1000)
    plain = {"Active": True, "State": "active", "Remote": False, "Class": "user", "Seat": SEAT, "Type": "wayland"}
    return {**plain, "User": (user, f"/org/freedesktop/login1/user/_{user}"), **differs}


@pytest.mark.parametrize("differs", [{}, {"State": "opening"}, {"Class": "user-early"}, {"Type": "tty"}])
def test_who_sits_at_the_screen_counts(differs: dict[str, object]) -> None:
    """A person's active session at a seat counts, in a desktop or on a text terminal, from the moment it opens."""
    assert sitting([session(**differs)]) == {1000}


@pytest.mark.parametrize(
    "differs",
    [
        pytest.param({"Active": False, "State": "online"}, id="another user is in front"),
        pytest.param({"State": "closing"}, id="logged out, but a program runs on"),
        pytest.param({"State": "online"}, id="logind contradicts itself"),
        pytest.param({"Seat": NO_SEAT}, id="no seat: ssh, cron, a container"),
        pytest.param({"Remote": True}, id="a seat, but over the network"),
        pytest.param({"Class": "greeter"}, id="the login screen itself"),
        pytest.param({"Class": "lock-screen"}, id="the lock screen"),
        pytest.param({"Class": "background"}, id="a timer's job"),
        pytest.param({"Class": "manager"}, id="the user's service manager"),
        pytest.param({"Class": "user-incomplete"}, id="the home directory is still locked"),
    ],
)
def test_everybody_else_counts_for_nothing(differs: dict[str, object]) -> None:
    """One property that doesn't fit is enough, whatever the others say."""
    assert sitting([session(**differs)]) == frozenset()


@pytest.mark.parametrize("missing", ["Seat", "Active", "State", "Remote", "Class"])
def test_a_property_that_is_missing_counts_against(missing: str) -> None:
    """A logind that says less than we ask for lets nobody in."""
    properties = session()
    del properties[missing]
    assert sitting([properties]) == frozenset()


def test_each_seat_has_its_own_user() -> None:
    """Two screens, two users; the one who waits behind another at the same screen isn't among them."""
    other_seat = ("seat-1", "/org/freedesktop/login1/seat/seat_1")
    behind = session(uid=1002, Active=False, State="online")
    assert sitting([session(), session(uid=1001, Seat=other_seat), behind]) == {1000, 1001}


def test_an_active_session_beside_an_inactive_one_is_enough() -> None:
    """A user with two sessions sits here if one of them is in front; two halves of the sign in two sessions are none."""
    assert sitting([session(Active=False, State="online"), session()]) == {1000}
    assert sitting([session(Active=False, State="online"), session(Seat=NO_SEAT)]) == frozenset()


class FakeLink:
    """A `Link` whose logind says what the test puts into `users`; None: it doesn't answer."""

    def __init__(self, *users: int) -> None:
        self.stirred = asyncio.Event()
        self.lost = False
        self.users: tuple[int, ...] | None = users
        self.looks = 0

    async def sessions(self) -> list[Mapping[str, Any]]:
        """One plain session for each user."""
        self.looks += 1
        if self.users is None:
            raise Unreachable("gone")
        return [session(uid=uid) for uid in self.users]

    def say(self, *users: int) -> None:
        """Change the answer, with a signal."""
        self.users = users
        self.stirred.set()

    def fall_silent(self) -> None:
        """Give no answer from now on, with the signal that the service has left the bus."""
        self.users = None
        self.stirred.set()

    def hang_up(self) -> None:
        """Lose the connection."""
        self.lost = True
        self.stirred.set()


class FakeBus:
    """Where `LogindSeats` connects to: each connection takes the next of `links`; None refuses, as none left does."""

    def __init__(self, *links: FakeLink | None) -> None:
        self.links = list(links)
        self.tries = 0

    def connect(self) -> AbstractAsyncContextManager[Link]:
        """The next link."""
        return self._next()

    @contextlib.asynccontextmanager
    async def _next(self) -> AsyncIterator[Link]:
        self.tries += 1
        link = self.links.pop(0) if self.links else None
        if link is None:
            raise Unreachable("no bus")
        yield link


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses; a look without a signal, and the end of an answer that isn't renewed, only where a test asks for it."""
    monkeypatch.setattr(logind, "SETTLE", 0.0)
    monkeypatch.setattr(logind, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(logind, "LOOK_AGAIN", 1000.0)
    monkeypatch.setattr(logind, "GRACE", 1000.0)


@contextlib.asynccontextmanager
async def following(bus: FakeBus) -> AsyncIterator[tuple[LogindSeats, list[frozenset[int]]]]:
    """`LogindSeats` on `bus`, and all that `changes` has told so far."""
    seats, told = LogindSeats(connect=bus.connect), list[frozenset[int]]()

    async def follow() -> None:
        async for users in seats.changes():
            told.append(users)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(follow())
        yield seats, told
        task.cancel()


@in_loop
async def test_nobody_sits_here_before_the_first_look() -> None:
    """`current` is empty until somebody follows."""
    assert LogindSeats(connect=FakeBus().connect).current() == frozenset()


@in_loop
async def test_each_change_is_told_once() -> None:
    """First who sits here now, then each change; a signal without one tells nothing."""
    link = FakeLink(1000)
    async with following(FakeBus(link)) as (seats, told):
        await until_async(lambda: told == [{1000}], 5, "the first answer")
        link.stirred.set()
        await until_async(lambda: link.looks == 2, 5, "a look after the signal")
        link.say(1001)
        await until_async(lambda: told == [{1000}, {1001}], 5, "the change")
        assert seats.current() == {1001}


@in_loop
async def test_what_is_not_announced_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that only begins to close sends no signal: it is found by the next look all the same."""
    monkeypatch.setattr(logind, "LOOK_AGAIN", 0.001)
    link = FakeLink(1000)
    async with following(FakeBus(link)) as (_, told):
        await until_async(lambda: told == [{1000}], 5, "the first answer")
        link.users = ()
        await until_async(lambda: told == [{1000}, set()], 5, "the change")


@in_loop
async def test_a_restart_of_logind_locks_nobody_out() -> None:
    """While logind is away for a moment, its last answer holds; then the new one counts."""
    link = FakeLink(1000)
    async with following(FakeBus(link)) as (seats, told):
        await until_async(lambda: told == [{1000}], 5, "the first answer")
        link.fall_silent()
        await until_async(lambda: link.looks == 2, 5, "a look without an answer")
        assert seats.current() == {1000}
        link.say(1001)
        await until_async(lambda: told == [{1000}, {1001}], 5, "the answer of the new one")


@in_loop
async def test_an_answer_that_nobody_renews_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """When logind stays away, nobody sits here, without another signal; and it heals when it comes back."""
    monkeypatch.setattr(logind, "GRACE", 0.05)
    link = FakeLink(1000)
    async with following(FakeBus(link)) as (seats, told):
        await until_async(lambda: told == [{1000}], 5, "the first answer")
        link.fall_silent()
        await until_async(lambda: told == [{1000}, set()], 5, "nobody can say")
        assert seats.current() == frozenset()
        link.say(1000)
        await until_async(lambda: told == [{1000}, set(), {1000}], 5, "the answer of the new one")


@in_loop
async def test_a_lost_bus_is_found_again() -> None:
    """After the bus has gone and come back, also at the second attempt, what logind says there counts."""
    first, second = FakeLink(1000), FakeLink(1001)
    async with following(FakeBus(first, None, second)) as (_, told):
        await until_async(lambda: told == [{1000}], 5, "the first answer")
        first.hang_up()
        await until_async(lambda: told == [{1000}, {1001}], 5, "the answer on the new connection")


@in_loop
async def test_a_computer_without_a_bus_is_no_busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sits here, told once, and the next attempt waits for its time."""
    monkeypatch.setattr(logind, "FIRST_PAUSE", 1000.0)
    bus = FakeBus()
    async with following(bus) as (_, told):
        await until_async(lambda: told == [set()], 5, "nobody")
        for _ in range(100):
            await asyncio.sleep(0)
        assert bus.tries == 1


@in_loop
async def test_a_bus_that_hangs_up_at_once_is_no_busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is lost before logind has answered is tried again after a pause, like one that was refused."""
    monkeypatch.setattr(logind, "FIRST_PAUSE", 1000.0)
    links = [FakeLink() for _ in range(5)]
    for link in links:
        link.hang_up()
    bus = FakeBus(*links)
    async with following(bus) as (_, told):
        await until_async(lambda: told == [set()], 5, "nobody")
        for _ in range(100):
            await asyncio.sleep(0)
        assert bus.tries == 1


@in_loop
async def test_an_answer_makes_the_next_attempts_quick_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bus that was hard to reach once, and then worked, isn't given up for a minute when it restarts."""
    monkeypatch.setattr(logind, "pauses", lambda: iter((0.0, 0.0, 1000.0)))
    first, second = FakeLink(1000), FakeLink(1001)
    async with following(FakeBus(None, first, None, second)) as (_, told):
        await until_async(lambda: told == [set(), {1000}], 5, "the first answer")
        first.hang_up()
        await until_async(lambda: told == [set(), {1000}, {1001}], 5, "the answer on the new connection")


def test_pauses_double_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bus is tried again quickly at first, then once a minute."""
    monkeypatch.setattr(logind, "FIRST_PAUSE", 0.5)
    assert list(itertools.islice(logind.pauses(), 9)) == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
