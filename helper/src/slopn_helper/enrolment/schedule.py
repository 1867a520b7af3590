"""When an enrolment is renewed, and what is told of one that can't be. Pure; times are Unix seconds."""

from __future__ import annotations

from hashlib import sha256

from slopn_helper.health import warning
from slopn_wire.events import Warning  # noqa: A004 - the health list's word
from slopn_wire.profile import Enrolment

DUE = 2 / 3
"""The part of the time after which a renewal is due; up to `SPREAD` of it later, so that not all devices come at once."""
SPREAD = 1 / 12
LATE = 5 / 6
"""The part of the time after which a renewal that fails is told of."""
REFRESH = 7 * 24 * 3600.0
"""Seconds after which the gateways are asked what has changed, where nothing expires."""
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 6 * 3600.0
"""Seconds after failures: doubled each time."""


def due(enrolment: Enrolment) -> float:
    """When to renew. Each device has its own moment, the same after a restart."""
    share = int.from_bytes(sha256(enrolment.device.encode()).digest()[:4], "big") / 2**32
    if enrolment.expires is None:
        return enrolment.since + REFRESH * (1 + share * SPREAD)
    return enrolment.since + (enrolment.expires - enrolment.since) * (DUE + share * SPREAD)


def pause(failures: int, chance: float, expires_in: float | None, asked: float | None = None) -> float:
    """Seconds until the next try after so many failures; `chance` in [0, 1), `asked`: what the gateway wants.

    Never longer than a fourth of what is left: a short enrolment has short pauses.
    """
    longest = LONGEST_PAUSE if expires_in is None else min(LONGEST_PAUSE, max(expires_in / 4, FIRST_PAUSE))
    wanted = FIRST_PAUSE * 2.0 ** min(failures - 1, 20)
    return min(max(wanted, asked or 0.0), longest) * (0.75 + chance / 2)


def told(profile: str, enrolment: Enrolment, now: float, ended: str | None, failed: str | None) -> Warning | None:
    """What the health list says of a profile; `ended`: the gateway's no, `failed`: why the last renewal came to nothing."""
    if ended is not None:
        return warning("enrolment_ended", profile=profile, why=ended.rstrip("."))
    if enrolment.expires is None or failed is None:
        return None
    if now >= enrolment.expires:
        why = f"it has expired, and could not be renewed: {failed.rstrip('.')}"
        return warning("enrolment_ended", profile=profile, why=why)
    if now >= enrolment.since + (enrolment.expires - enrolment.since) * LATE:
        return warning(
            "enrolment_expiring", profile=profile, left=_left(enrolment.expires - now), why=failed.rstrip(".")
        )
    return None


def _left(seconds: float) -> str:
    for unit, length in (("d", 86400.0), ("h", 3600.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds / 60, 1):.0f} min"
