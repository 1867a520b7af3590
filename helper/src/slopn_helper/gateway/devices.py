"""Devices, pure: whether one may connect, and what it may be called."""

from __future__ import annotations

import unicodedata
from base64 import b32encode
from collections.abc import Callable
from enum import StrEnum

from slopn_helper.gateway.types import Device

KEY_LENGTH = 32
MAX_NAME = 64
"""Longest name of a device, in characters."""

_PRIME = 2**255 - 19
# Points of small order on Curve25519 (RFC 7748, section 6.1 and https://cr.yp.to/ecdh.html): with one of these as a
# key everybody can work out what was agreed.
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        _PRIME - 1,
    }
)


class Standing(StrEnum):
    """Whether a device may connect, and why not."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"
    REVOKED = "revoked"


def standing(device: Device, now: float) -> Standing:
    """What holds for a device at `now`. The most lasting reason is named."""
    if device.revoked is not None:
        return Standing.REVOKED
    if device.expires is not None and device.expires <= now:
        return Standing.EXPIRED
    return Standing.DISABLED if device.disabled else Standing.ACTIVE


def new_id(chance: Callable[[int], bytes]) -> str:
    """An id that nobody has: 80 random bits as 16 letters and digits. `chance(n)` gives n random bytes."""
    return b32encode(chance(10)).decode().lower()


def name_problem(name: str) -> str | None:
    """What is wrong with a device's name, in a sentence; None: nothing."""
    if not 1 <= len(name) <= MAX_NAME:
        return f"A device's name has 1 to {MAX_NAME} characters, not {len(name)}."
    if not name.isprintable() or name != name.strip():
        return "A device's name has printable characters alone, and no space at its ends."
    if unicodedata.normalize("NFC", name) != name:
        return "A device's name has letters as whole characters (Unicode's form NFC)."
    return None


def key_problem(key: bytes) -> str | None:
    """What is wrong with a WireGuard public key, in a sentence; None: nothing."""
    if len(key) != KEY_LENGTH:
        return f"A WireGuard public key has {KEY_LENGTH} bytes, not {len(key)}."
    point = (int.from_bytes(key, "little") & (2**255 - 1)) % _PRIME
    if point in _SMALL_ORDER:
        return "This WireGuard public key protects nothing: make another one."
    return None
