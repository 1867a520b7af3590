"""How often a file that somebody else keeps rewriting is put back: at once, then ever slower, until it is quiet."""

from __future__ import annotations

FREE = 3
"""Rewrites in a row that are answered at once: a DHCP client, NetworkManager and a VPN each write once."""
FIRST, LONGEST = 0.5, 30.0
QUIET = 60.0
"""Seconds without a rewrite after which all is forgiven."""


class Pace:
    """Says how long to wait before the next answer. Pure; `now` is any steady clock in seconds."""

    def __init__(self) -> None:
        self._answers = 0
        self._last = 0.0

    def delay(self, now: float) -> float:
        """Seconds to wait before answering a rewrite seen at `now`; counts it as answered."""
        if now - self._last > QUIET:
            self._answers = 0
        self._answers += 1
        over = self._answers - FREE
        wait = 0.0 if over <= 0 else min(FIRST * 2.0 ** min(over - 1, 20), LONGEST)
        self._last = now + wait
        return wait
