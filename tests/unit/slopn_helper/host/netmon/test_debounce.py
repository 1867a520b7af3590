from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.host.netmon.debounce import LONGEST, QUIET, Debounce

EVENTS = st.lists(st.floats(min_value=0.0, max_value=0.5), min_size=1, max_size=60)
MIXED = st.lists(st.tuples(st.floats(min_value=0.0, max_value=0.5), st.booleans()), min_size=1, max_size=60)


def looks(events: list[float], decisive: tuple[bool, ...] = ()) -> list[float]:
    """When a monitor that is never late would look, for events at these times; some of them are decisive."""
    debounce = Debounce()
    found: list[float] = []

    def run_until(now: float) -> None:
        while (due := debounce.due()) is not None and due <= now:
            assert debounce.take(due)
            found.append(due)

    for event, decides in itertools.zip_longest(events, decisive, fillvalue=False):
        run_until(event)
        debounce.event(event, decisive=decides)
        run_until(event)
    run_until(float("inf"))
    return found


def times(gaps: list[float]) -> list[float]:
    """Absolute times from the gaps between events."""
    now, result = 100.0, []
    for gap in gaps:
        now += gap
        result.append(now)
    return result


def test_the_first_event_is_looked_at_at_once() -> None:
    """A pulled cable is acted on immediately, and without further events there is no second look."""
    assert looks([5.0]) == [5.0]


def test_a_burst_is_two_looks() -> None:
    """One at its first event and one when it has ended, however many events it has."""
    assert looks([5.0, 5.01, 5.02, 5.1]) == [5.0, 5.1 + QUIET]


def test_after_a_quiet_time_the_next_event_leads_again() -> None:
    """Two changes a second apart are both acted on at once."""
    assert looks([5.0, 6.0]) == [5.0, 6.0]


def test_a_burst_that_never_ends_is_looked_at_all_the_same() -> None:
    """A flapping link can't hide the network for longer than the longest wait."""
    found = looks([5.0 + n * 0.1 for n in range(50)])
    assert len(found) >= 5
    assert max(b - a for a, b in itertools.pairwise(found)) <= LONGEST + 0.1 + 1e-9


def test_what_decides_is_looked_at_at_once_within_a_burst() -> None:
    """A new route among the events of a plugged cable isn't waited with; the burst's end is looked at all the same."""
    debounce = Debounce()
    debounce.event(5.0)
    assert debounce.take(5.0)
    debounce.event(5.01)
    assert not debounce.take(5.01)
    debounce.event(5.02, decisive=True)
    assert debounce.take(5.02)
    debounce.event(5.03, decisive=True)
    assert not debounce.take(5.03)
    assert debounce.due() == 5.03 + QUIET


def test_no_look_without_an_event() -> None:
    """An idle host is left alone."""
    debounce = Debounce()
    assert debounce.due() is None
    assert not debounce.take(1e9)


def test_a_late_caller_still_looks_once() -> None:
    """A monitor that was held up takes one look for everything that happened meanwhile."""
    debounce = Debounce()
    debounce.event(1.0)
    debounce.event(1.1)
    assert debounce.take(50.0)
    assert not debounce.take(50.0)


@given(EVENTS)
def test_every_event_is_followed_by_a_look_in_time(gaps: list[float]) -> None:
    """Nothing is missed: after each event there is a look, at the latest after the longest wait."""
    events = times(gaps)
    found = looks(events)
    for event in events:
        assert any(event <= look <= event + LONGEST + 1e-9 for look in found)


@given(EVENTS)
def test_looks_are_bounded(gaps: list[float]) -> None:
    """However wild the events, there are never more than two looks within one quiet time."""
    found = looks(times(gaps))
    for start in found:
        assert sum(start <= look < start + QUIET - 1e-9 for look in found) <= 2
    assert found == sorted(found)


@given(EVENTS)
def test_the_last_look_comes_when_all_is_quiet(gaps: list[float]) -> None:
    """The state that remains is one seen no earlier than the last event."""
    events = times(gaps)
    assert looks(events)[-1] >= events[-1]


@given(MIXED)
def test_decisive_events_change_none_of_that(mixed: list[tuple[float, bool]]) -> None:
    """Mixed with others they add one look to a quiet time; every event is followed by a look in time, also the last."""
    events = times([gap for gap, _ in mixed])
    found = looks(events, tuple(decides for _, decides in mixed))
    for event in events:
        assert any(event <= look <= event + LONGEST + 1e-9 for look in found)
    for start in found:
        assert sum(start <= look < start + QUIET - 1e-9 for look in found) <= 4
    assert found[-1] >= events[-1]
