"""A pairing's number: six digits, for who sees them, three tries, two minutes."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from attacks.answers import kind
from attacks.field import Field
from attacks.people import Line
from slopn_helper.ipc.pairing import MAX_PENDING, TRIES
from slopn_wire.commands import ConfirmPairing, GetLogs, GetPairings, GetSnapshot, Pair, Renew
from slopn_wire.devices import Right
from slopn_wire.events import ErrorKind, NumberNeeded, Pairings, Refused, Snapshot
from slopn_wire.logs import Logs
from support.certificates import new_key, request_for


def begin(line: Line) -> NumberNeeded:
    """A pairing that waits for its number."""
    needed = line.ask(Pair("guess", request_for(new_key())))
    assert isinstance(needed, NumberNeeded), needed
    return needed


def wrong(number: str) -> str:
    """A number that isn't it."""
    return f"{(int(number) + 1) % 1_000_000:06d}"


def test_guessing(field: Field) -> None:
    """The number is guessed.

    Three tries; with the last one the pairing ends, and the user must wait before the next begins.
    """
    mallory = field.user()
    with mallory.secured() as line:
        needed = begin(line)
        number = field.number(needed.pairing)
        for _ in range(TRIES):
            assert kind(line.ask(ConfirmPairing(needed.pairing, wrong(number)))) is ErrorKind.INVALID
        assert kind(line.ask(ConfirmPairing(needed.pairing, number))) is ErrorKind.INVALID
        assert kind(line.ask(Pair("again", request_for(new_key())))) is ErrorKind.LIMITED
    assert field.devices(mallory.uid) == []
    field.refused(mallory, *["pairing"] * (TRIES + 2))


def test_guessing_in_parallel(field: Field) -> None:
    """Numbers are guessed for as many pairings as may wait, over a connection each.

    The tries are the user's, not the pairing's: all end together.
    """
    mallory = field.user()
    lines = [mallory.secured() for _ in range(MAX_PENDING)]
    needed = [begin(line) for line in lines]
    numbers = [field.number(each.pairing) for each in needed]
    for line, each, number in list(zip(lines, needed, numbers, strict=True))[:TRIES]:
        assert kind(line.ask(ConfirmPairing(each.pairing, wrong(number)))) is ErrorKind.INVALID
    assert kind(lines[-1].ask(ConfirmPairing(needed[-1].pairing, numbers[-1]))) is ErrorKind.INVALID
    for line in lines:
        line.socket.close()
    assert field.devices(mallory.uid) == []
    shown = field.ask_root(GetPairings())
    assert isinstance(shown, Pairings)
    assert [each for each in shown.pairings if each.pairing.uid == mallory.uid] == []


def test_guessing_over_a_restart(fresh_field: Field) -> None:
    """The helper is restarted between two tries, so that it forgets them.

    It forgets the pairing and its number as well.
    """
    field, mallory = fresh_field, fresh_field.user()
    with mallory.secured() as line:
        needed = begin(line)
        number = field.number(needed.pairing)
        assert kind(line.ask(ConfirmPairing(needed.pairing, wrong(number)))) is ErrorKind.INVALID
    field.restart()
    field.begin()
    with mallory.secured() as line:
        assert kind(line.ask(ConfirmPairing(needed.pairing, number))) is ErrorKind.INVALID
    assert field.devices(mallory.uid) == []


def test_number_leaks(field: Field) -> None:
    """The program that asks, or another one of the same user that may only look, reads the number.

    It stands in the journal and is told to front ends that may configure; not in the answer, the state, or the streamed log.
    """
    mallory = field.user()
    held = field.pair(mallory, [Right.VIEW])
    with mallory.secured(held.shown) as line:
        needed = begin(line)
        number = field.number(needed.pairing)
        view, logs = line.ask(GetSnapshot()), line.ask(GetLogs())
        assert isinstance(view, Snapshot)
        assert isinstance(logs, Logs)
        assert [each.id for each in view.pairings if each.uid == mallory.uid] == [needed.pairing]
        assert logs.lines
        assert not [each for each in logs.lines if number in each.message]
        assert number not in repr(view.pairings) + repr(needed)
    assert number in field.said()


def test_too_many_pairings(field: Field) -> None:
    """A program begins pairing after pairing, to bury the one that its user means.

    Four of a user wait at a time.
    """
    mallory = field.user()
    with mallory.secured() as line:
        for _ in range(MAX_PENDING):
            begin(line)
        assert kind(line.ask(Pair("more", request_for(new_key())))) is ErrorKind.LIMITED
    field.refused(mallory, "pairing")


@pytest.mark.parametrize(
    "name",
    ["", " x", "x" * 65, "a\nrefused uid=0", "a\x1b[2J", "a\u202eb", "a\u2028b", "e\u0301"],
    ids=["empty", "space", "long", "line", "escape", "direction", "separator", "pieces"],
)
def test_names_of_front_ends(field: Field, name: str) -> None:
    """A front end's name that people would read as something else: with lines, escapes, marks of the writing direction.

    Refused, or no request: 64 printable characters.
    """
    mallory = field.user()
    with mallory.secured() as line:
        assert kind(line.ask(Pair(name, request_for(new_key())))) is ErrorKind.INVALID
    field.refused(mallory, "pairing")


def test_killed_while_pairing(fresh_field: Field) -> None:
    """The helper is killed in the middle of a pairing, at any moment.

    The front end is paired or isn't, and the registry is whole: those who were paired are so still.
    """
    field, mallory = fresh_field, fresh_field.user()
    held = field.pair(mallory)
    for moment in range(3):
        with mallory.secured() as line:
            needed = begin(line)
            number = field.number(needed.pairing)
            line.send(ConfirmPairing(needed.pairing, number))
            if moment:
                with suppress(OSError):
                    line.socket.recv(moment)
            os.kill(field.helper.pid, signal.SIGKILL)
        field.restart()
        field.begin()
        with mallory.secured(held.shown) as line:
            assert isinstance(line.ask(GetSnapshot()), Snapshot)
        with mallory.secured() as line:
            assert isinstance(line.ask(ConfirmPairing(needed.pairing, number)), Refused)
        assert not list(field.state.rglob("*.corrupt-*"))


def test_killed_while_renewing(fresh_field: Field) -> None:
    """The helper is killed in the middle of a renewal, so that the new certificate is lost on its way.

    The old one holds until the new one is first used.
    """
    field, mallory = fresh_field, fresh_field.user()
    held = field.pair(mallory)
    for moment in range(2):
        with mallory.secured(held.shown) as line:
            line.send(Renew(request_for(new_key())))
            if moment:
                line.socket.recv(moment)
            os.kill(field.helper.pid, signal.SIGKILL)
        field.restart()
        field.begin()
        with mallory.secured(held.shown) as line:
            assert isinstance(line.ask(GetSnapshot()), Snapshot)
