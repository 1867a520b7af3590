"""Delays grow, end, and spread."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.tunnel.backoff import CAP, LEAST, delay


@given(attempt=st.integers(0, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_a_delay_stays_within_its_bounds(attempt: int, jitter: float) -> None:
    """Never none, never above the cap, whatever the attempt's number."""
    assert LEAST <= delay(attempt, jitter) <= CAP


@given(attempt=st.integers(0, 100), jitter=st.floats(0, 1, exclude_max=True))
def test_a_later_attempt_waits_no_less(attempt: int, jitter: float) -> None:
    """With the same luck, the next delay is at least as long."""
    assert delay(attempt, jitter) <= delay(attempt + 1, jitter)


def test_the_first_delays() -> None:
    """Half a minute of trying holds five attempts on average, after 1, 2, 4, 8 and 16 s; then half a minute is usual."""
    assert [delay(n, 0.5) for n in range(1, 9)] == [1, 2, 4, 8, 16, 30, 30, 30]


def test_clients_do_not_come_back_all_at_once() -> None:
    """All of a delay is chance, down to almost nothing."""
    assert (delay(3, 0.0), delay(3, 0.25), delay(3, 1.0)) == (LEAST, 2.0, 8.0)
