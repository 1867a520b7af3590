from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
from collections.abc import Iterator

import pytest

from slopn_helper.host.seats import logind
from slopn_helper.host.seats.logind import LogindSeats
from support.boot import BootedSystem
from support.boot_login import Login
from support.until import until


class Watcher:
    """`LogindSeats` at work in a loop of its own, and all that it has told."""

    def __init__(self, system: BootedSystem) -> None:
        self.seats = LogindSeats(system.bus_address)
        self.told: list[set[int]] = []

    @contextlib.contextmanager
    def working(self) -> Iterator[Watcher]:
        """From its first answer on."""
        loop = asyncio.new_event_loop()

        async def follow() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                async for users in self.seats.changes():
                    self.told.append(set(users))

        task = loop.create_task(follow())
        thread = threading.Thread(target=loop.run_until_complete, args=(task,))
        thread.start()
        try:
            until(lambda: self.told, 10, "the first answer")
            yield self
        finally:
            loop.call_soon_threadsafe(task.cancel)
            thread.join()
            loop.close()

    def until(self, *uids: int) -> None:
        """Return once it tells that these, and nobody else, sit at the screen."""
        until(lambda: self.told[-1] == set(uids), 10, f"{set(uids)} sit at the screen; told: {self.told}")
        assert self.seats.current() == set(uids)


@pytest.fixture(scope="module")
def system() -> Iterator[BootedSystem]:
    """A computer with the users Ada (1000) and Bob (1001); nobody is logged in between two tests."""
    with BootedSystem() as booted:
        assert [booted.add_user(name) for name in ("ada", "bob")] == [ADA, BOB]
        yield booted


ADA, BOB = 1000, 1001


@pytest.fixture
def watcher(system: BootedSystem) -> Iterator[Watcher]:
    """Nobody sits at the screen yet."""
    with Watcher(system).working() as working:
        working.until()
        yield working


def test_who_logs_in_at_the_screen_sits_there(system: BootedSystem, watcher: Watcher) -> None:
    """From the login to the logout; a login over the network changes nothing."""
    with Login(system, "bob", remote="192.0.2.7") as remote, Login(system, "ada", seat="seat0"):
        # The control: for logind that session is active, too.
        assert (remote.show("Active"), remote.show("State")) == ("yes", "active")
        watcher.until(ADA)
    watcher.until()
    assert watcher.told == [set(), {ADA}, set()]


def test_the_session_in_front_counts(system: BootedSystem, watcher: Watcher) -> None:
    """When users switch at one screen, the one behind sits there no more."""
    with Login(system, "ada", seat="seat0") as ada:
        watcher.until(ADA)
        with Login(system, "bob", seat="seat0"):
            watcher.until(BOB)
            ada.activate()
            watcher.until(ADA)
        watcher.until(ADA)
    watcher.until()


def test_a_job_of_a_user_is_nobody_at_the_screen(system: BootedSystem, watcher: Watcher) -> None:
    """A session without a seat, as cron's are, before one with a seat that is seen."""
    with Login(system, "bob"), Login(system, "ada", seat="seat0"):
        watcher.until(ADA)
        assert watcher.told == [set(), {ADA}]


def test_who_left_something_running_has_left(
    system: BootedSystem, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the logout logind keeps the session, and calls it active, while a program runs on: it counts for nobody."""
    monkeypatch.setattr(logind, "LOOK_AGAIN", 0.2)
    with Login(system, "ada", seat="seat0") as ada:
        watcher.until(ADA)
        left = ada.popen("trap '' HUP TERM; echo here; exec sleep 1000", stdout=subprocess.PIPE)
        assert left.stdout is not None
        assert left.stdout.readline() == b"here\n"
    assert (ada.show("Active"), ada.show("State")) == ("yes", "closing")
    watcher.until()
    left.kill()
    until(lambda: not system.run(["loginctl", "--no-legend"]).stdout, 10, "the session is gone")


def test_a_restart_of_logind_is_not_noticed(system: BootedSystem, watcher: Watcher) -> None:
    """An update of systemd throws nobody out, and what happens afterwards is seen."""
    with Login(system, "ada", seat="seat0"):
        watcher.until(ADA)
        system.run(["systemctl", "restart", "systemd-logind"])
        system.wait_unit("systemd-logind")
    watcher.until()
    with Login(system, "bob", seat="seat0"):
        watcher.until(BOB)
    watcher.until()
    assert watcher.told == [set(), {ADA}, set(), {BOB}, set()]


def test_without_logind_nobody_sits_there(
    system: BootedSystem, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When logind stays away nobody can tell, and it isn't started by being asked; once it is back, it is heard."""
    monkeypatch.setattr(logind, "GRACE", 0.2)
    with Login(system, "ada", seat="seat0"):
        watcher.until(ADA)
        system.run(["systemctl", "stop", "systemd-logind"])
        watcher.until()
        system.wait_unit("systemd-logind", "inactive")
        system.run(["systemctl", "start", "systemd-logind"])
        watcher.until(ADA)
    watcher.until()


def test_another_bus_is_found(system: BootedSystem, watcher: Watcher) -> None:
    """After a restart of the bus, all is as before."""
    with Login(system, "ada", seat="seat0"):
        watcher.until(ADA)
        system.run(["systemctl", "restart", "dbus"])
        system.wait_unit("systemd-logind")
    watcher.until()
    with Login(system, "bob", seat="seat0"):
        watcher.until(BOB)
    watcher.until()
