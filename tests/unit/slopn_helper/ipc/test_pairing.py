from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.ipc.pairing import (
    FIRST_WAIT,
    LONGEST_WAIT,
    MAX_PENDING,
    MAX_USERS,
    TRIES,
    VALID,
    Asker,
    Chance,
    Confirmed,
    Manner,
    Moment,
    Pairings,
    manner,
    printable,
)
from slopn_helper.principal import Principal
from slopn_wire.devices import Right, ShownPairing, UserBasis
from slopn_wire.events import ErrorKind, Refused

UNIX = 1_800_000_000.0


def asker(uid: int = 1000, name: str = "script") -> Asker:
    """A user's script."""
    return Asker(uid, f"user{uid}", "/home/user/script", name, tuple(Right))


def at(steady: float = 0.0) -> Moment:
    """A moment, seconds after the beginning."""
    return Moment(UNIX + steady, steady)


def chance(seed: int = 0) -> Chance:
    """A generator that repeats."""
    generator = random.Random(seed)
    return Chance(lambda: f"{generator.getrandbits(128):032x}", lambda: generator.randrange(1_000_000))


def fixed(*numbers: int) -> Chance:
    """These numbers, one after another."""
    identifiers, rest = itertools.count(), iter(numbers)
    return Chance(lambda: f"p{next(identifiers)}", lambda: next(rest))


def begun(pairings: Pairings, who: Asker | None = None, steady: float = 0.0) -> ShownPairing:
    """What is shown for a pairing that begins."""
    shown = pairings.begin(asker() if who is None else who, "CSR", at(steady))
    assert isinstance(shown, ShownPairing)
    return shown


def wrong(number: str) -> str:
    """Another number."""
    return f"{(int(number) + 1) % 1_000_000:06d}"


@pytest.mark.parametrize(
    ("uid", "basis", "ours", "revoked", "wanted"),
    [
        (0, UserBasis.ROOT, False, False, Manner.SILENT),
        (0, UserBasis.ROOT, False, True, Manner.SILENT),
        (1000, UserBasis.GROUP, True, False, Manner.SILENT),
        (1000, UserBasis.SEAT, True, False, Manner.SILENT),
        (1000, UserBasis.GROUP, False, False, Manner.NUMBER),
        (1000, UserBasis.ADDED, True, True, Manner.NUMBER),
        (1000, None, True, False, Manner.REFUSED),
        (1000, None, False, False, Manner.REFUSED),
        (0, None, True, False, Manner.REFUSED),
    ],
)
def test_how_somebody_is_paired(uid: int, basis: UserBasis | None, ours: bool, revoked: bool, wanted: Manner) -> None:
    """In silence root and our own front ends, unless their pairing was ended; who may not use SloPN, never."""
    who = Principal(uid, uid, 1, None, frozenset(), basis=basis)
    assert manner(who, ours=ours, revoked=revoked) is wanted


def test_a_number_that_is_repeated_pairs() -> None:
    """With the request it was made for, once."""
    pairings = Pairings(chance())
    shown = begun(pairings)
    confirmed = pairings.confirm(1000, shown.pairing.id, shown.number, at(VALID - 1))
    assert confirmed == Confirmed(asker(), "CSR")
    assert isinstance(pairings.confirm(1000, shown.pairing.id, shown.number, at(VALID - 1)), Refused)
    assert not pairings.waiting()


@pytest.mark.parametrize(("drawn", "shown"), [(0, "000000"), (7, "000007"), (999_999, "999999")])
def test_a_number_has_six_digits(drawn: int, shown: str) -> None:
    """Zeros in front are digits too."""
    assert begun(Pairings(fixed(drawn))).number == shown


def test_a_number_may_be_typed_with_spaces() -> None:
    """As people group digits."""
    pairings = Pairings(fixed(123456))
    assert isinstance(pairings.confirm(1000, begun(pairings).pairing.id, " 123 456\n", at()), Confirmed)


@pytest.mark.parametrize(
    "number", ["", "12345", "0123456", "1234567", "+123456", "１２３４５６", "12345\ud800", "x" * 10**6]
)
def test_what_only_looks_like_the_number_is_wrong(number: str) -> None:
    """The six digits and nothing else; rubbish costs a try and no more."""
    pairings = Pairings(fixed(123456))
    refused = pairings.confirm(1000, begun(pairings).pairing.id, number, at())
    assert isinstance(refused, Refused)
    assert (refused.kind, refused.message) == (ErrorKind.INVALID, "That isn't the number: 2 tries are left.")


def test_a_number_runs_out() -> None:
    """By the steady clock, whatever the one on the wall says."""
    pairings = Pairings(chance())
    shown = begun(pairings)
    assert pairings.next_end() == VALID
    assert isinstance(pairings.confirm(1000, shown.pairing.id, shown.number, Moment(UNIX, VALID)), Refused)
    assert pairings.next_end() is None
    again = begun(pairings, steady=VALID)
    assert isinstance(pairings.confirm(1000, again.pairing.id, again.number, Moment(UNIX + 1e9, VALID)), Confirmed)


def test_another_user_can_not_confirm() -> None:
    """Nor use up the tries, nor tell a pairing that isn't there from one that isn't theirs. Root is another user too."""
    pairings = Pairings(chance())
    shown = begun(pairings)
    absent = pairings.confirm(1001, "absent", shown.number, at())
    for uid in (0, 1001):
        for _ in range(10):
            assert pairings.confirm(uid, shown.pairing.id, shown.number, at()) == absent
    assert isinstance(pairings.confirm(1000, shown.pairing.id, shown.number, at()), Confirmed)


def test_three_tries_and_no_more() -> None:
    """The right number comes too late then."""
    pairings = Pairings(chance())
    shown = begun(pairings)
    for left in ("2 tries are left", "1 try is left", "it was the last try"):
        refused = pairings.confirm(1000, shown.pairing.id, wrong(shown.number), at())
        assert isinstance(refused, Refused)
        assert left in refused.message
    assert isinstance(pairings.confirm(1000, shown.pairing.id, shown.number, at()), Refused)
    assert not pairings.waiting()


def fail(pairings: Pairings, uid: int, steady: float) -> None:
    """Use up a pairing's tries."""
    shown = begun(pairings, asker(uid), steady)
    for _ in range(TRIES):
        assert isinstance(pairings.confirm(uid, shown.pairing.id, wrong(shown.number), at(steady)), Refused)


def test_who_failed_must_wait_longer_each_time() -> None:
    """Twice as long up to an hour, so that guessing takes years; other users don't wait."""
    pairings = Pairings(chance())
    steady, waits = 0.0, []
    for _ in range(10):
        fail(pairings, 1000, steady)
        refused = pairings.begin(asker(), "CSR", at(steady))
        assert isinstance(refused, Refused)
        assert refused.kind is ErrorKind.LIMITED
        begun(pairings, asker(1001), steady + VALID)
        low = 0.0
        while isinstance(pairings.begin(asker(), "CSR", at(steady + low)), Refused):
            low += FIRST_WAIT
        waits.append(low)
        steady += low + VALID
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert waits[-1] == LONGEST_WAIT


def test_a_success_ends_the_waits() -> None:
    """Who knows the number isn't guessing."""
    pairings = Pairings(chance())
    fail(pairings, 1000, 0)
    fail(pairings, 1000, FIRST_WAIT)
    shown = begun(pairings, steady=FIRST_WAIT * 4)
    pairings.confirm(1000, shown.pairing.id, shown.number, at(FIRST_WAIT * 4))
    fail(pairings, 1000, FIRST_WAIT * 5)
    begun(pairings, steady=FIRST_WAIT * 6)


def test_a_failure_ends_the_users_other_numbers() -> None:
    """More pairings at a time are no more tries; another user's stay."""
    pairings = Pairings(chance())
    other, foreign = begun(pairings), begun(pairings, asker(1001))
    fail(pairings, 1000, 0)
    assert isinstance(pairings.confirm(1000, other.pairing.id, other.number, at()), Refused)
    assert isinstance(pairings.confirm(1001, foreign.pairing.id, foreign.number, at()), Confirmed)


def test_more_pairings_are_no_more_tries() -> None:
    """Two wrong numbers for a pairing that is then left alone, again and again: the third in all has to be waited for."""
    pairings = Pairings(chance())
    now, guesses = 0.0, 0
    while now < 24 * 3600.0:
        shown = pairings.begin(asker(), "CSR", at(now))
        if isinstance(shown, ShownPairing):
            for _ in range(TRIES - 1):
                result = pairings.confirm(1000, shown.pairing.id, wrong(shown.number), at(now))
                guesses += isinstance(result, Refused) and "No such" not in result.message
        now += VALID + 1
    assert guesses < 24 * TRIES + 10 * TRIES


def test_a_user_has_few_pairings_at_a_time() -> None:
    """The next one is refused until one is done or over; other users have their own."""
    pairings = Pairings(chance())
    for _ in range(MAX_PENDING):
        begun(pairings)
    refused = pairings.begin(asker(), "CSR", at())
    assert isinstance(refused, Refused)
    assert refused.kind is ErrorKind.LIMITED
    begun(pairings, asker(1001))
    begun(pairings, steady=VALID)


def test_a_day_without_failure_is_a_new_beginning() -> None:
    """A clumsy user doesn't pay for ever."""
    pairings = Pairings(chance())
    for number in range(3):
        fail(pairings, 1000, 10_000.0 * number)
    day = 20_000 + 24 * 3600.0 + 1
    fail(pairings, 1000, day)
    begun(pairings, steady=day + FIRST_WAIT)


def test_the_memory_of_failures_is_bounded() -> None:
    """However many users fail."""
    pairings = Pairings(chance())
    for uid in range(1000, 1000 + 2 * MAX_USERS):
        fail(pairings, uid, 0)
    assert len(pairings._failures) == MAX_USERS


def test_numbers_are_shown_to_their_user_and_root_alone() -> None:
    """Everybody sees who waits, without the number."""
    pairings = Pairings(chance())
    mine, theirs = begun(pairings, asker(1000)), begun(pairings, asker(1001))
    assert pairings.shown_to(1000) == (mine,)
    assert pairings.shown_to(1001) == (theirs,)
    assert pairings.shown_to(1002) == ()
    assert pairings.shown_to(0) == (mine, theirs)
    assert pairings.waiting() == (mine.pairing, theirs.pairing)
    assert mine.number not in repr(pairings.waiting())


def test_people_see_who_asks_until_when() -> None:
    """As the clock on the wall says, and with the path as it may be shown."""
    pairings = Pairings(fixed(1))
    shown = begun(pairings, Asker(1000, "anna", "/home/anna/\x1b[2Jevil", "script", (Right.VIEW,)))
    pairing = shown.pairing
    assert (pairing.expires, pairing.program, pairing.user) == (UNIX + VALID, "/home/anna/?[2Jevil", "anna")
    assert (pairing.name, pairing.rights, pairing.uid) == ("script", (Right.VIEW,), 1000)


@given(st.text(max_size=600))
def test_a_shown_path_is_short_and_harmless(path: str) -> None:
    """Nothing that a terminal obeys, and at most 256 characters: its end, which says most."""
    shown = printable(path)
    assert shown.isprintable()
    assert len(shown) <= 256
    if path.isprintable():
        assert path.endswith(shown.removeprefix("…"))
