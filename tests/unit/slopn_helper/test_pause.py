"""A pause may end sooner than meant, never later."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.pause import Pause
from slopn_wire.commands import LONGEST_PAUSE

TIMES = st.floats(-1e7, 1e7)


class Clocks:
    """A wall clock that somebody may set, and one that runs."""

    def __init__(self) -> None:
        self.wall = 1000.0
        self.steady = 50.0


def paused(clocks: Clocks, seconds: float) -> Pause:
    """From now on."""
    return Pause(clocks.wall + seconds, lambda: clocks.wall, lambda: clocks.steady)


def test_it_runs_down() -> None:
    """Second by second, to zero and no further."""
    clocks = Clocks()
    pause = paused(clocks, 300)
    assert pause.left() == 300
    clocks.wall += 100
    clocks.steady += 100
    assert pause.left() == 200
    clocks.wall += 1000
    clocks.steady += 1000
    assert pause.left() == 0


def test_sleep_counts() -> None:
    """A computer that slept through the pause's end wakes up with none left."""
    clocks = Clocks()
    pause = paused(clocks, 300)
    clocks.wall += 400
    assert pause.left() == 0


@given(st.floats(1, 2 * LONGEST_PAUSE), TIMES, st.floats(0, 1e7))
def test_no_clock_makes_it_longer(seconds: float, jump: float, passed: float) -> None:
    """However the wall clock is set, it is over when its seconds have really passed."""
    clocks = Clocks()
    pause = paused(clocks, seconds)
    clocks.wall += passed + jump
    clocks.steady += passed
    assert 0 <= pause.left() <= max(0.0, min(seconds, LONGEST_PAUSE) - passed) + 1e-6


def test_one_from_a_damaged_file_has_an_end() -> None:
    """Whatever the stored end is, it is at most the longest pause away."""
    clocks = Clocks()
    pause = paused(clocks, 1e12)
    assert pause.left() == LONGEST_PAUSE
    assert pause.until == clocks.wall + LONGEST_PAUSE
