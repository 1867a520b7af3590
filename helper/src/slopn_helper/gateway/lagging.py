"""A clock for what can't be taken back: it doesn't believe a leap forward until that has lasted. Pure.

A server that wakes with a wrong clock, or is set by a mistake, sees every enrolment expired. To shut devices out meanwhile
is right and heals by itself; to give their addresses to others and to forget them isn't and doesn't.
"""

from __future__ import annotations

from collections.abc import Callable

LEAP = 60.0
"""Seconds that a clock may be put forward between two looks without being doubted."""
BELIEVED_AFTER = 86_400.0
"""Seconds after which a leap is believed: by then somebody would have noticed."""


class LaggingClock:
    """`clock`: Unix time, which may leap. `ticks`: seconds of a clock that never does."""

    def __init__(self, clock: Callable[[], float], ticks: Callable[[], float]) -> None:
        self._clock = clock
        self._ticks = ticks
        self._known = clock(), ticks()
        self._leapt_at: float | None = None

    def now(self) -> float:
        """Unix time, behind the clock while that has leapt forward."""
        told, tick = self._clock(), self._ticks()
        reckoned = self._known[0] + (tick - self._known[1])
        if told - reckoned <= LEAP:
            self._leapt_at = None
        else:
            if self._leapt_at is None:
                self._leapt_at = tick
            if tick - self._leapt_at < BELIEVED_AFTER:
                return reckoned
            self._leapt_at = None
        self._known = told, tick
        return told
