from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from support.boot import BIN, BootedSystem
from support.boot_login import Login
from support.until import until

SLOPN, UNIT = str(BIN / "slopn"), "slopn-helper.service"
SERVICE = f"""
[Service]
ExecStart={BIN}/slopn-helper client
"""
NO_KEYRING = {"SLOPN_KEYRING": "no"}
ADA, BOB, EVE = 1000, 1001, 1002


class Computer:
    """The real helper as a service of a real system, with Ada, Bob, and Eve in the group `slopn`."""

    def __init__(self, system: BootedSystem) -> None:
        self.system = system
        system.run(["groupadd", "--system", "slopn"])
        assert [system.add_user("ada"), system.add_user("bob"), system.add_user("eve", "slopn")] == [ADA, BOB, EVE]
        system.add_unit(UNIT, SERVICE)
        system.run(["systemctl", "start", UNIT])
        until(lambda: self.root("status", check=False).returncode == 0, 20, "the helper answers")

    def root(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`slopn` as root types it."""
        return self.system.run([SLOPN, *arguments], check=check)

    def users(self) -> dict[str, str]:
        """Who may, and why."""
        return {user["name"]: user["basis"] for user in json.loads(self.root("users", "--json").stdout)}

    def refusals(self, uid: int) -> list[str]:
        """The lines of the journal about refused connections of a user."""
        messages = [json.loads(line)["message"] for line in self.system.journal(UNIT).splitlines() if line[:1] == "{"]
        return [message for message in messages if message.startswith(f"refused uid={uid} ")]

    def pair(self, login: Login) -> None:
        """Pair the user's command line at a terminal, with the number that root reads."""
        terminal, end = pty.openpty()
        try:
            process = login.popen([SLOPN, "pair"], env=NO_KEYRING, stdin=end, stdout=end, stderr=end)
            os.close(end)
            number = until(lambda: self._number(login.user), 10, f"{login.user} waits for a number")
            os.write(terminal, f"{number}\n".encode())
            assert process.wait(20) == 0
        finally:
            os.close(terminal)

    def _number(self, user: str) -> str | None:
        waiting = json.loads(self.root("devices", "--json").stdout)["waiting"]
        return next((one["number"] for one in waiting if one["pairing"]["user"] == user), None)


def status(login: Login) -> int:
    """The exit status of `slopn status` as this user."""
    return login.run([SLOPN, "status"], check=False, env=NO_KEYRING).returncode


@contextlib.contextmanager
def watching(login: Login) -> Iterator[subprocess.Popen[Any]]:
    """`slopn watch`, from its first line on."""
    process = login.popen([SLOPN, "watch"], env=NO_KEYRING, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["type"] == "snapshot"
    yield process
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def computer() -> Iterator[Computer]:
    """Nobody is logged in, and nobody added, between two tests."""
    with BootedSystem() as system:
        yield Computer(system)


def test_who_sits_at_the_screen_may_until_they_leave(computer: Computer) -> None:
    """Ada may while her session is in front, and no more behind Bob's; her watch is cut off then."""
    with Login(computer.system, "ada", seat="seat0") as ada:
        until(lambda: computer.users().get("ada") == "seat", 10, "the helper knows that Ada sits there")
        computer.pair(ada)
        assert status(ada) == 0
        with watching(ada) as watch, Login(computer.system, "bob", seat="seat0"):
            assert watch.wait(10) == 4
            assert status(ada) == 4
            assert computer.users() == {"bob": "seat", "eve": "group", "root": "root"}
        ada.activate()
        until(lambda: status(ada) == 0, 10, "she is in front again")


def test_who_comes_over_the_network_may_not(computer: Computer) -> None:
    """Bob is refused, with a sentence that says what would help and one line in the journal."""
    with Login(computer.system, "bob", remote="192.0.2.7") as bob:
        before = computer.refusals(BOB)
        done = bob.run([SLOPN, "status"], check=False, env=NO_KEYRING)
        assert done.returncode == 4
        assert "slopn users add" in done.stderr
        (line,) = computer.refusals(BOB)[len(before) :]
        assert re.fullmatch(rf'refused uid={BOB} why=\w+ pid=\d+ session={bob.id} user="bob" exe=".+"', line), line


def test_an_added_user_may_until_removed(computer: Computer) -> None:
    """At once, in the login that Bob has; removed, he is cut off in the middle of a watch, and knows why."""
    with Login(computer.system, "bob", remote="192.0.2.7") as bob:
        assert status(bob) == 4
        computer.root("users", "add", "bob")
        computer.pair(bob)
        assert status(bob) == 0
        with watching(bob) as watch:
            before = computer.refusals(BOB)
            computer.root("users", "remove", "bob")
            assert watch.wait(10) == 4
            assert watch.stderr is not None
            assert "slopn users add" in watch.stderr.read()
            assert len(computer.refusals(BOB)) > len(before)
        assert status(bob) == 4
        computer.root("users", "add", "bob")
        # He is the same user as before: his pairing counts again.
        assert status(bob) == 0
        computer.root("users", "remove", "bob")


def test_a_member_of_the_group_may_while_a_member(computer: Computer) -> None:
    """Eve may; taken out of the group she may no more, though her session keeps it; Bob, put in, needn't log in again."""
    with (
        Login(computer.system, "eve", remote="192.0.2.8") as eve,
        Login(computer.system, "bob", remote="192.0.2.7") as bob,
    ):
        computer.pair(eve)
        assert status(eve) == 0
        assert status(bob) == 4
        with watching(eve) as watch:
            told = computer.root("users", "remove", "eve", check=False)
            assert told.returncode == 2
            assert "sudo gpasswd -d eve slopn" in told.stderr
            computer.system.run(["gpasswd", "-d", "eve", "slopn"])
            assert watch.wait(15) == 4
        computer.system.run(["gpasswd", "-a", "bob", "slopn"])
        assert computer.users() == {"bob": "group", "root": "root"}
        assert status(bob) == 0
        computer.system.run(["gpasswd", "-M", "eve", "slopn"])
        assert (status(bob), status(eve)) == (4, 0)


def test_a_process_that_kept_the_group_has_lost_the_right(computer: Computer) -> None:
    """A shell from before the removal still has the group in its credentials: the user database says what counts."""
    with Login(computer.system, "eve", remote="192.0.2.8") as eve:
        shell = eve.popen(["sh"], env=NO_KEYRING, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def ask() -> str:
            assert shell.stdin is not None
            assert shell.stdout is not None
            shell.stdin.write(f"id -Gn; {SLOPN} status >/dev/null 2>&1; echo $?\n")
            shell.stdin.flush()
            return f"{shell.stdout.readline()}{shell.stdout.readline()}"

        assert ask() == "eve slopn\n0\n"
        computer.system.run(["gpasswd", "-d", "eve", "slopn"])
        assert ask() == "eve slopn\n4\n"
        computer.system.run(["gpasswd", "-a", "eve", "slopn"])
        assert ask() == "eve slopn\n0\n"


def test_the_kernel_turns_strangers_away_when_only_the_group_may(computer: Computer) -> None:
    """With the setting off and nobody added, the socket itself is the group's alone; else it is open, and we look."""

    def mode() -> str:
        return computer.system.run("stat -c %U:%G:%a /run/slopn/helper.sock").stdout.strip()

    with Login(computer.system, "bob", seat="seat0") as bob, Login(computer.system, "eve", remote="192.0.2.8") as eve:
        assert mode() == "root:slopn:666"
        computer.root("settings", "set", "local_user", "no")
        try:
            assert mode() == "root:slopn:660"
            assert computer.users() == {"eve": "group", "root": "root"}
            assert (status(bob), status(eve)) == (4, 0)
            computer.root("users", "add", "bob")
            assert mode() == "root:slopn:666"
            computer.root("users", "remove", "bob")
            assert mode() == "root:slopn:660"
        finally:
            computer.root("settings", "set", "local_user", "yes")
