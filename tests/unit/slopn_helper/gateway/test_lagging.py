from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.gateway.lagging import BELIEVED_AFTER, LEAP, LaggingClock

YEAR = 365 * 86_400.0


class World:
    """A clock that is `off` by so much, and one that runs."""

    def __init__(self) -> None:
        self.ticks = 5.0
        self.off = 0.0
        self.made = LaggingClock(lambda: self.ticks + self.off, lambda: self.ticks)

    def after(self, seconds: float) -> float:
        """How far it is from the clock that runs, so much later."""
        self.ticks += seconds
        return self.made.now() - self.ticks


def test_a_leap_is_believed_once_it_has_lasted() -> None:
    """A wrong year for an hour changes nothing; a day of it does; to be put back is believed at once."""
    world = World()
    assert world.after(300.0) == 0.0
    world.off = YEAR
    assert [world.after(300.0) for _ in range(12)] == [0.0] * 12
    world.off = 1.0
    assert world.after(300.0) == 1.0
    world.off = YEAR
    assert world.after(300.0) == 1.0
    assert world.after(BELIEVED_AFTER - 1.0) == 1.0
    assert world.after(1.0) == YEAR
    world.off = -YEAR
    assert world.after(300.0) == -YEAR


@given(st.lists(st.tuples(st.floats(0.0, 400.0), st.floats(-YEAR, YEAR)), max_size=40))
def test_it_never_runs_ahead_of_both(steps: list[tuple[float, float]]) -> None:
    """Never later than the clock says, nor further on than the time that passed and a doubt's worth of seconds a look."""
    world, last = World(), 0.0
    for seconds, off in steps:
        world.off = off
        found = world.after(seconds)
        assert found <= max(off, last) + 1e-6
        assert found <= last + LEAP + 1e-6 or sum(step[0] for step in steps) >= BELIEVED_AFTER
        last = found
