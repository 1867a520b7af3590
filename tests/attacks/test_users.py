"""Who is at the other end is the kernel's word, and a certificate counts for its own user alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from attacks.answers import kind
from attacks.field import PREFIX, Field, Refusal
from attacks.people import PYTHON
from attacks.successor import run_as_pid
from slopn_wire.commands import Connect, GetSnapshot, GetUsers, Pair
from slopn_wire.events import ErrorKind, NumberNeeded, Paired, Reply, Snapshot
from support.certificates import new_key, request_for
from support.until import until


def test_stranger(field: Field) -> None:
    """Another user of the computer, without any right, connects.

    Turned away by the greeting, before a byte is read.
    """
    mallory = field.stranger()
    greeting = mallory.turned_away()
    assert greeting is not None
    assert greeting.authority == ""
    assert kind(greeting.refused) is ErrorKind.NOT_PERMITTED
    field.refused(mallory, "user_not_allowed")


def test_stranger_says_more(field: Field) -> None:
    """That user ignores the refusal and begins TLS all the same.

    Nobody listens: the helper has hung up.
    """
    mallory = field.stranger()
    with mallory.line() as line:
        line.greeting()
        assert line.ended()
    field.refused(mallory, "user_not_allowed")


def test_unpaired(field: Field) -> None:
    """A program of a user who may, but without a certificate, commands.

    Refused: without a certificate there is pairing alone.
    """
    mallory = field.user()
    with mallory.secured() as line:
        for command in (GetSnapshot(), GetUsers(), Connect()):
            assert kind(line.ask(command)) is ErrorKind.NOT_PAIRED
    field.refused(mallory, *["not_paired"] * 3)


def test_stolen_by_another_user(field: Field) -> None:
    """Key and certificate of one user are used by another who may use SloPN, too.

    They count for the user that they were issued to, by the kernel's word.
    """
    alice, mallory = field.user(), field.user()
    held = field.pair(alice)
    with mallory.secured(held.shown) as line:
        assert kind(line.ask(GetSnapshot())) is ErrorKind.NOT_PAIRED
    field.refused(mallory, *["certificate_of_another_user"] * 2)
    with alice.secured(held.shown) as line:
        assert isinstance(line.ask(GetSnapshot()), Snapshot)


def test_stolen_by_stranger(field: Field) -> None:
    """Key and certificate of a user are used by one who may not use SloPN.

    A certificate gives nobody access: the stranger isn't greeted.
    """
    held = field.pair(field.user())
    mallory = field.stranger()
    with pytest.raises(AssertionError, match="NOT_PERMITTED"):
        mallory.secured(held.shown)
    field.refused(mallory, "user_not_allowed")


def test_stolen_from_root(field: Field) -> None:
    """A user has got hold of root's own key and certificate.

    They count for root alone.
    """
    field.truth()
    mallory = field.user()
    assert field.root_shown is not None
    with mallory.secured(field.root_shown) as line:
        assert kind(line.ask(GetUsers())) is ErrorKind.NOT_PAIRED
    field.refused(mallory, *["certificate_of_another_user"] * 2)


def test_uid_given_again(field: Field) -> None:
    """A user is deleted and the number is given to somebody new, who finds the old key in the home directory.

    Number and name must both be those of the pairing, and of `slopn users add`.
    """
    alice = field.user()
    held = field.pair(alice)
    passwd = field.namespace.root() / "etc/passwd"
    passwd.write_text(passwd.read_text().replace(f"{alice.name}:x:{alice.uid}", f"mallory:x:{alice.uid}"))
    greeting = until(alice.turned_away, 20.0, "the name is noticed")
    assert greeting is not None
    assert kind(greeting.refused) is ErrorKind.NOT_PERMITTED
    field.allow("mallory")
    with alice.secured(held.shown) as line:
        assert kind(line.ask(GetSnapshot())) is ErrorKind.NOT_PAIRED
    field.forbid("mallory")
    passwd.write_text(passwd.read_text().replace(f"mallory:x:{alice.uid}", f"{alice.name}:x:{alice.uid}"))
    field.allow(alice.name)


def test_taken_back_in_the_middle(field: Field) -> None:
    """Root takes SloPN away from a user whose front end is connected.

    The connection ends at once.
    """
    mallory = field.user()
    held = field.pair(mallory)
    with mallory.secured(held.shown) as line:
        assert isinstance(line.ask(GetSnapshot()), Snapshot)
        field.forbid(mallory.name)
        farewell = line.read()
        assert isinstance(farewell, Reply)
        assert kind(farewell.result) is ErrorKind.NOT_PERMITTED
        assert line.read() is None
    field.refused(mallory, "user_not_allowed")


def test_socket_handed_on(field: Field) -> None:
    """Somebody gets hold of a socket that another user has connected, and shows a certificate of their own there.

    It is the connection of whoever has connected, and the certificate isn't that user's.
    """
    alice, mallory = field.user(), field.user()
    stolen = field.pair(mallory)
    with alice.secured(stolen.shown) as line:
        assert kind(line.ask(GetSnapshot())) is ErrorKind.NOT_PAIRED
    field.refused(alice, *["certificate_of_another_user"] * 2)


def test_pid_reused(field: Field) -> None:
    """A process connects and ends, and its number is another process's before the helper looks (pid reuse).

    The uid is of the moment when it connected; program and session are read under a pidfd, and are unknown for a process
    that is gone.
    """
    mallory = field.stranger()
    helper = field.helper.pid
    os.kill(helper, signal.SIGSTOP)
    try:
        line = mallory.line()
        pid = mallory.actor.pid
        mallory.end()
        successor = run_as_pid(pid, "/bin/sleep", "60")
    finally:
        os.kill(helper, signal.SIGCONT)
    with line, successor:
        greeting = line.greeting()
        assert greeting is not None
        assert greeting.refused is not None
        until(lambda: field.refusals(mallory), 20.0, "the refusal is written")
        assert Path(f"/proc/{pid}/exe").resolve().name != "python3.11"
    assert field.refusals(mallory) == [Refusal(mallory.uid, "user_not_allowed", pid, mallory.name, "")]


def test_forged_exe(field: Field) -> None:
    """A program in a mount namespace of its own has the path of our installed front end, so as to be paired in silence.

    The path may lie (it does in `exe=` of the log), the file doesn't: it must be the very one that the helper sees there.
    """
    alice, mallory = field.user(), field.user()
    genuine = PREFIX / "bin/slopn"
    alice.run(genuine)
    with alice.secured() as line:
        assert isinstance(line.ask(Pair("genuine", request_for(new_key()))), Paired)
    drop = ["setpriv", f"--reuid={mallory.uid}", f"--regid={mallory.uid}", "--clear-groups", "--"]
    forge = f'mount -t tmpfs tmpfs {PREFIX}; mkdir {PREFIX}/bin; cp {PYTHON} {genuine}; exec "$@"'
    forged = [*drop, "unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", forge, "sh"]
    mallory.run(genuine, forged)
    with mallory.secured() as line:
        assert isinstance(line.ask(Pair("forged", request_for(new_key()))), NumberNeeded)
    assert field.devices(mallory.uid) == []
