from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.ipc.limits import Bucket, Caps, Limits, Meter, Rate
from slopn_helper.ipc.refusals import Why

CAPS = Caps(
    connects=Rate(5, 1.0),
    connections=3,
    all_connections=4,
    handshakes=2,
    all_handshakes=3,
    commands=Rate(4, 2.0),
    lookups=Rate(2, 1.0),
    longest_delay=3.0,
    lines=Rate(2, 1.0),
)


def meter(limits: Limits, uid: int = 1000, now: float = 0.0) -> Meter:
    """A user's."""
    found = limits.meter_of(uid, now)
    assert found is not None
    return found


def enter(limits: Limits, uid: int = 1000, now: float = 0.0, *, secured: bool = True) -> Why | None:
    """Connect, and have the handshake done."""
    why = limits.enter(meter(limits, uid, now), now)
    if why is None and secured:
        limits.secured(meter(limits, uid, now))
    return why


def test_a_bucket_gives_a_burst_then_its_rate() -> None:
    """Five at once, then one each second; what isn't taken doesn't pile up beyond the burst."""
    bucket = Bucket(Rate(5, 1.0), 100.0)
    assert [bucket.take(100.0) for _ in range(6)] == [True] * 5 + [False]
    assert not bucket.take(100.9)
    assert bucket.take(101.0)
    assert not bucket.take(101.0)
    assert [bucket.take(1000.0) for _ in range(6)] == [True] * 5 + [False]


@given(st.lists(st.floats(0, 50, allow_nan=False), max_size=60), st.integers(1, 10), st.floats(0.1, 5))
def test_a_bucket_never_gives_more_than_its_rate(pauses: list[float], burst: int, rate: float) -> None:
    """Whenever it is asked: over the whole time no more than the burst and what the rate brings."""
    bucket, now, taken = Bucket(Rate(burst, rate), 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
    assert taken <= burst + now * rate + 1e-6


def test_a_clock_that_goes_back_gives_nothing() -> None:
    """And takes nothing away for long."""
    bucket = Bucket(Rate(1, 1.0), 100.0)
    assert bucket.take(100.0)
    assert not bucket.take(0.0)
    assert bucket.take(1.0)


def test_connections_have_a_rate() -> None:
    """Also of those that have ended since, and another user's is another."""
    limits = Limits(CAPS)
    for _ in range(5):
        assert enter(limits) is None
        limits.leave(meter(limits))
    assert enter(limits) is Why.CONNECTION_RATE
    assert enter(limits, 1001) is None
    assert enter(limits, now=1.0) is None


def test_connections_at_a_time_are_bounded() -> None:
    """Of one user, and of all together; who leaves makes room."""
    limits = Limits(CAPS)
    assert [enter(limits) for _ in range(4)] == [None, None, None, Why.CONNECTIONS]
    assert enter(limits, 1001) is None
    assert enter(limits, 1002) is Why.CONNECTIONS
    limits.leave(meter(limits))
    assert enter(limits, 1002) is None


def test_handshakes_at_a_time_are_bounded() -> None:
    """Of one user, and of all together; one that is over makes room, though the connection stays."""
    limits = Limits(CAPS)
    assert [enter(limits, secured=False) for _ in range(3)] == [None, None, Why.HANDSHAKES]
    assert enter(limits, 1001, secured=False) is None
    assert enter(limits, 1002, secured=False) is Why.HANDSHAKES
    limits.secured(meter(limits))
    assert enter(limits, 1002, secured=False) is None


def test_root_has_no_meter() -> None:
    """And so no limit."""
    limits = Limits(CAPS)
    assert limits.meter_of(None, 0.0) is None
    for _ in range(1000):
        assert limits.enter(None, 0.0) is None
    limits.secured(None)
    limits.leave(None)
    assert enter(limits) is None


def test_commands_have_a_rate_for_each_front_end() -> None:
    """One that floods takes nothing from the user's others, nor from those that aren't paired yet."""
    mine = meter(Limits(CAPS))
    assert [mine.command("d", 0.0, lookup=False) for _ in range(5)] == [True] * 4 + [False]
    assert mine.command("e", 0.0, lookup=False)
    assert mine.command(None, 0.0, lookup=False)
    assert mine.command("d", 0.5, lookup=False)


def test_lookups_have_a_rate_of_their_own() -> None:
    """A lower one; the other commands go on."""
    mine = meter(Limits(CAPS))
    assert [mine.command("d", 0.0, lookup=True) for _ in range(3)] == [True, True, False]
    assert mine.command("d", 0.0, lookup=False)


def test_refusals_wait_ever_longer_up_to_a_limit() -> None:
    """A few cost nothing; then the wait doubles."""
    mine = meter(Limits(CAPS))
    delays = [mine.delay(0.0) for _ in range(40)]
    assert delays[:3] == [0.0, 0.0, 0.0]
    assert delays[3:8] == [pytest.approx(0.2 * 2**n) for n in range(4)] + [CAPS.longest_delay]
    assert set(delays[8:]) == {CAPS.longest_delay}


def test_refusals_are_forgiven_with_time() -> None:
    """Who stops is soon as good as new, also after thousands."""
    mine = meter(Limits(CAPS))
    for _ in range(5000):
        mine.delay(0.0)
    assert mine.delay(60.0) == CAPS.longest_delay
    assert mine.delay(600.0) == 0.0


def test_lines_in_the_log_have_a_rate() -> None:
    """Those beyond it are counted, and the next line tells how many."""
    mine = meter(Limits(CAPS))
    assert [mine.log(0.0) for _ in range(5)] == [0, 0, None, None, None]
    assert mine.log(1.0) == 3
    assert mine.log(2.0) == 0


def test_what_is_left_over_is_told_as_well() -> None:
    """When no further refusal comes to tell it."""
    limits = Limits(CAPS)
    for uid in (1000, 1001):
        for _ in range(4):
            meter(limits, uid).log(0.0)
    assert list(limits.unlogged()) == [(1000, 2), (1001, 2)]
    assert list(limits.unlogged()) == []


def test_users_beyond_number_are_forgotten() -> None:
    """The oldest first; but those who have something open stay, with their count."""
    limits = Limits(CAPS)
    assert enter(limits, 1) is None
    for uid in range(100_000, 110_000):
        meter(limits, uid)
    assert len(limits) <= 256
    assert meter(limits, 1).connections == 1


def test_front_ends_beyond_number_are_forgotten() -> None:
    """A user's memory is bounded, whatever the names are."""
    mine = meter(Limits(CAPS))
    for number in range(10_000):
        mine.command(f"d{number}", 0.0, lookup=True)
    assert max(len(mine._commands), len(mine._lookups)) <= 32
