"""What was measured: one line each, with its target, and all of them as a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    """One measured value. `met`: whether it keeps `target`; None where there is nothing to keep."""

    part: str
    what: str
    value: str
    target: str = ""
    met: bool | None = None


def table(figures: Iterable[Figure]) -> str:
    """A Markdown table."""
    rows = [("what", "measured", "target", ""), ("---", "---:", "---", "---")]
    rows += [
        (f"{each.part}: {each.what}", each.value, each.target or "–", "" if each.met is None else verdict(met=each.met))
        for each in figures
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def verdict(*, met: bool) -> str:
    """In a word."""
    return "met" if met else "**missed**"


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest of `values` that at least `part` of them don't exceed (nearest rank). Raises `ValueError` if empty."""
    if not values:
        raise ValueError("nothing was measured")
    return sorted(values)[max(math.ceil(part * len(values)), 1) - 1]


def spread(seconds: Sequence[float]) -> str:
    """Median, 99th percentile and maximum, in milliseconds."""
    return " / ".join(f"{1e3 * quantile(seconds, part):.1f}" for part in (0.5, 0.99, 1.0)) + " ms"


def megabytes(size: float) -> str:
    """Bytes in 10⁶."""
    return f"{size / 1e6:.1f} MB"
