from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.gateway.challenge import LIFETIME, Challenges, Flaw
from slopn_helper.possession import prove, proves


def challenges(seed: int = 1, most: int = 100) -> Challenges:
    """Of one process."""
    return Challenges(random.Random(seed).randbytes, most=most)


def test_each_is_good_for_once() -> None:
    """Given, taken back, and taken no second time."""
    ours = challenges()
    given_one = ours.give(10.0)
    assert ours.remembered == 0
    assert ours.spend(given_one.challenge, 11.0) is None
    assert ours.spend(given_one.challenge, 12.0) is Flaw.SPENT


def test_it_grows_old() -> None:
    """To the moment."""
    ours = challenges()
    given_one = ours.give(10.0)
    assert given_one.seconds == LIFETIME
    assert ours.spend(given_one.challenge, 10.0 + LIFETIME) is Flaw.OLD
    assert ours.spend(given_one.challenge, 10.0 + LIFETIME - 0.001) is None


def test_another_process_gave_it() -> None:
    """Also one before a restart: its key is gone."""
    assert challenges(1).spend(challenges(2).give(10.0).challenge, 10.0) is Flaw.FOREIGN


@given(at=st.integers(0, 39), bit=st.integers(0, 7))
def test_no_bit_of_it_can_be_changed(at: int, bit: int) -> None:
    """The time least of all."""
    ours = challenges()
    changed = bytearray(ours.give(10.0).challenge)
    changed[at] ^= 1 << bit
    assert ours.spend(bytes(changed), 10.0) is Flaw.FOREIGN


@given(st.binary(max_size=100))
def test_what_is_made_up(made_up: bytes) -> None:
    """Of any length."""
    assert challenges().spend(made_up, 10.0) is Flaw.FOREIGN


@pytest.mark.parametrize("cut", [0, 1, 39])
def test_a_part_of_one(cut: int) -> None:
    """Neither shorter nor longer."""
    ours = challenges()
    whole = ours.give(10.0).challenge
    assert ours.spend(whole[:cut], 10.0) is Flaw.FOREIGN
    assert ours.spend(whole + b"\0", 10.0) is Flaw.FOREIGN


def test_memory_is_bounded_and_comes_back() -> None:
    """When it is full, nothing is taken, and nothing is forgotten either: no answer would count twice."""
    ours = challenges(most=3)
    many = [ours.give(10.0).challenge for _ in range(4)]
    assert [ours.spend(each, 20.0) for each in many] == [None, None, None, Flaw.FULL]
    assert ours.spend(many[0], 21.0) is Flaw.SPENT
    assert ours.remembered == 3
    # What was refused isn't spent; what was spent is too old by the time it is forgotten.
    late = ours.give(75.0).challenge
    assert ours.spend(late, 20.0 + LIFETIME) is None
    assert ours.remembered == 1
    assert ours.spend(many[0], 20.0 + LIFETIME) is Flaw.OLD


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.integers(0, 9)), max_size=60))
def test_nothing_is_ever_taken_twice(steps: list[tuple[float, int]]) -> None:
    """However time passes and whatever is forgotten."""
    ours = challenges(most=5)
    now = 0.0
    known = [ours.give(now).challenge for _ in range(5)]
    taken: list[bytes] = []
    for pause, which in steps:
        now += pause
        if which < len(known):
            if ours.spend(known[which], now) is None:
                taken.append(known[which])
        else:
            known[which % len(known)] = ours.give(now).challenge
        assert ours.remembered <= 5
    assert len(set(taken)) == len(taken)


def test_its_key_checks_proofs() -> None:
    """What is given is enough to prove with."""
    ours = challenges()
    given_one = ours.give(10.0)
    private = bytes(range(32))
    proof = prove(private, given_one.public_key, "/v1/renew", given_one.challenge, b"")
    public = bytes.fromhex("8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f")
    assert proves(ours.key, public, "/v1/renew", given_one.challenge, b"", proof)
