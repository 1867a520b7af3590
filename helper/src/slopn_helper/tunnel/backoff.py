"""How long to wait before attempt n: exponential, capped, with full jitter; chance is given by the caller."""

from __future__ import annotations

BASE = 1.0
CAP = 60.0
LEAST = 0.1
"""Seconds: what fails at once isn't tried in a loop."""


def delay(attempt: int, jitter: float) -> float:
    """Seconds before attempt `attempt` (1 is the first retry). `jitter` in [0, 1) is the share of the longest delay.

    All of the delay is chance, so that clients that lost the same gateway don't come back to it at once.
    """
    return float(max(LEAST, min(BASE * 2.0 ** min(attempt, 16), CAP) * jitter))
