"""Lengths of time as people write them: 90s, 15m, 12h, 7d, 4w."""

from __future__ import annotations

import re

from slopn_helper.gateway.cli import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LENGTH = re.compile(r"([0-9]{1,7})([smhdw])")
NEVER = "never"
LONGEST = 3650 * 86400.0


def seconds(text: str) -> float:
    """`7d` in seconds: at least one second, ten years at most. Raises `UsageError`."""
    found = _LENGTH.fullmatch(text.strip().lower())
    length = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < length <= LONGEST:
        raise UsageError(f"{text!r} is no length of time: write 15m, 12h, 7d or 4w, ten years at most.")
    return float(length)


def seconds_or_never(text: str) -> float | None:
    """As `seconds`; None for `never`."""
    return None if text.strip().lower() == NEVER else seconds(text)
