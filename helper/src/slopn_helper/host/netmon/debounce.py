"""When to look at the network again: at once for the first event after a quiet time, then once a burst has ended.

An event that decides where packets go is the first of its own kind: a cable that is plugged in comes with a dozen
others, and only the route among them is worth acting on.

Sans-IO: time is passed in, in seconds of any steady clock.
"""

from __future__ import annotations

QUIET = 0.15
"""Seconds without an event that end a burst: a new lease is a dozen events within a few milliseconds."""
LONGEST = 1.0
"""Seconds after which a burst that never ends is looked at all the same."""


class Debounce:
    """Collects events and says when to look. After each look the state is new, whatever the events were."""

    def __init__(self, quiet: float = QUIET, longest: float = LONGEST) -> None:
        self._quiet = quiet
        self._longest = longest
        self._due: float | None = None
        self._first: float | None = None
        self._busy_until = float("-inf")
        self._decided_until = float("-inf")

    def event(self, now: float, *, decisive: bool = False) -> None:
        """Something has changed; `decisive`: perhaps the way that packets take."""
        if decisive and now >= self._decided_until:
            self._decided_until = now + self._quiet
            self._due = now
        elif self._due is None and now >= self._busy_until:
            self._due = now
        elif self._due is None or self._first is not None:
            self._first = now if self._first is None else self._first
            self._due = min(now + self._quiet, self._first + self._longest)
        self._busy_until = now + self._quiet

    def due(self) -> float | None:
        """When to call `take`; None: not before another event."""
        return self._due

    def take(self, now: float) -> bool:
        """Whether to look now; if so, all events so far are covered by that look."""
        if self._due is None or now < self._due:
            return False
        self._due = self._first = None
        self._busy_until = now + self._quiet
        return True
