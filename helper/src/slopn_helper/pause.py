"""How long a pause still lasts. It may end sooner than meant, never later, whatever happens to the clocks."""

from __future__ import annotations

import time
from collections.abc import Callable

from slopn_wire.commands import LONGEST_PAUSE


class Pause:
    """A pause until Unix time `until`, by the wall clock and by one that nobody can set; the first to run out ends it.

    The wall clock goes on while the computer sleeps; the other one can't be turned back. A pause that was stored is
    made anew after a restart, and no pause is longer than the longest.
    """

    def __init__(
        self,
        until: float,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        left = min(until - wall(), LONGEST_PAUSE)
        self.until = min(until, wall() + LONGEST_PAUSE)
        self._wall = wall
        self._steady = steady
        self._steady_end = steady() + left

    def left(self) -> float:
        """Seconds; 0.0 when it is over."""
        return max(0.0, min(self.until - self._wall(), self._steady_end - self._steady()))
