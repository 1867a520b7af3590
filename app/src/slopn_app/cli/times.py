"""Moments and durations as people type them. Pure."""

from __future__ import annotations

import re
import time

from slopn_app.cli.failure import Failure, Status

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FAR = 1e12
"""Seconds from 1970 that nothing reaches."""


def duration(text: str, unit: str = "s") -> float | None:
    """Seconds of `90s`, `10m`, `1.5h`, `2d`, or of a bare number of `unit`; None: it is none."""
    found = _DURATION.fullmatch(text) or _DURATION.fullmatch(text + unit)
    if found is None:
        return None
    seconds = float(found[1]) * _SECONDS[found[2]]
    return seconds if seconds < _FAR else None


def moment(text: str, now: float) -> float:
    """Unix time of what `--since` means at `now`. Raises `Failure`."""
    at = _moment(text, now)
    if at is None or not -_FAR < at < _FAR:
        raise Failure(
            Status.USAGE, f"--since can't be {text!r}; it can be 10m, 2h, 14:02, 2026-01-31T14:02 or Unix time."
        )
    return at


def _moment(text: str, now: float) -> float | None:
    from datetime import datetime

    if text[-1:] in _SECONDS:
        ago = duration(text)
        return None if ago is None else now - ago
    try:
        return float(text)
    except ValueError:
        pass
    today = time.strftime("%Y-%m-%d", time.localtime(now))
    try:
        return datetime.fromisoformat(f"{today}T{text}" if re.match(r"\d\d:", text) else text).timestamp()
    except (ValueError, OverflowError):
        return None
