"""How long to wait before attempt n: exponential, capped, jitter given by the caller."""

from __future__ import annotations

BASE = 0.5
CAP = 60.0


def delay(attempt: int, jitter: float) -> float:
    """Seconds before attempt `attempt` (1 is the first retry). `jitter` in [0, 1): spreads by a quarter each way."""
    return float(min(BASE * 2.0 ** min(attempt, 16), CAP) * (0.75 + jitter / 2))
