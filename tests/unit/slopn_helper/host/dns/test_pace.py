from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.host.dns.pace import FREE, LONGEST, QUIET, Pace


def test_the_first_few_are_answered_at_once_and_then_ever_slower() -> None:
    """An ordinary change of network is answered without delay, a fight with another program is not fought for ever."""
    pace = Pace()
    delays = [pace.delay(100.0) for _ in range(FREE + 10)]
    assert delays[:FREE] == [0.0] * FREE
    assert delays[FREE:] == sorted(delays[FREE:])
    assert 0.0 < delays[FREE] <= 1.0
    assert delays[-1] == LONGEST


def test_a_quiet_minute_forgives_everything() -> None:
    """After the fight is over the next rewrite is answered at once again."""
    pace = Pace()
    for _ in range(20):
        pace.delay(100.0)
    assert pace.delay(100.0 + LONGEST + QUIET + 1) == 0.0


@given(st.lists(st.floats(min_value=0.0, max_value=5.0), min_size=1, max_size=200))
def test_however_fast_the_other_writes_the_rate_is_bounded(gaps: list[float]) -> None:
    """Over any stretch the number of answers is at most the free ones, plus one for each second and thirty."""
    pace = Pace()
    now, answered = 1000.0, []
    for gap in gaps:
        now += gap
        now += pace.delay(now)
        answered.append(now)
    for start in answered:
        assert sum(start <= at < start + 10.0 for at in answered) <= FREE + 6


def test_the_delay_never_overflows() -> None:
    """A thousand rewrites in a row still give the longest delay."""
    pace = Pace()
    assert [pace.delay(5.0) for _ in range(1000)][-1] == LONGEST
