"""Enrolment tokens, pure: made, recognised, and how long one lives. Chance and time are passed in."""

from __future__ import annotations

import io
from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest

import segno

from slopn_helper.gateway.types import Token
from slopn_wire.enrolment import TOKEN_BYTES, EnrolmentLink, make_link

MAX_LABEL = 64
"""Longest label, in characters."""
MAX_USES = 100_000
SKEW = 60.0
"""Seconds by which gateways' clocks may differ: a token is taken that much longer than it says."""


class Refusal(StrEnum):
    """Why a token isn't taken."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SPENT = "spent"


def make(chance: Callable[[int], bytes], label: str, *, uses: int, now: float, lifetime: float) -> tuple[bytes, Token]:
    """A fresh secret of 256 random bits, and what is stored of it. `chance(n)` gives n random bytes.

    Raises `ValueError` with a sentence for a label, a number of uses or a lifetime that can't be.
    """
    if len(label) > MAX_LABEL or not label.isprintable():
        raise ValueError(f"A token's label has at most {MAX_LABEL} characters, printable ones alone.")
    if not 1 <= uses <= MAX_USES:
        raise ValueError(f"A token has 1 to {MAX_USES} uses, not {uses}.")
    if not lifetime > 0:
        raise ValueError("A token must live for a while: give it more than 0 seconds.")
    secret = chance(TOKEN_BYTES)
    return secret, Token(digest(secret), label, uses=uses, left=uses, created=now, expires=now + lifetime)


def digest(secret: bytes) -> bytes:
    """What is stored of a secret: with 256 random bits plain SHA-256 can't be searched."""
    return sha256(secret).digest()


def matches(token: Token, secret: bytes) -> bool:
    """Whether `secret` is this token's, in constant time."""
    return compare_digest(token.hash, digest(secret))


def judge(token: Token | None, now: float) -> Refusal | None:
    """Why a token isn't taken at `now`; None: it is. A token of None is one that nobody knows."""
    if token is None:
        return Refusal.UNKNOWN
    if token.revoked is not None:
        return Refusal.REVOKED
    if now >= token.expires + SKEW:
        return Refusal.EXPIRED
    return None if token.left > 0 else Refusal.SPENT


def qr_terminal(link: EnrolmentLink) -> str:
    """The link as a QR code for a terminal, to be printed as it stands."""
    out = io.StringIO()
    segno.make(make_link(link), error="m", micro=False).terminal(out, compact=True)
    return out.getvalue()


def qr_svg(link: EnrolmentLink) -> str:
    """The link as a QR code in an SVG document."""
    out = io.BytesIO()
    segno.make(make_link(link), error="m", micro=False).save(out, kind="svg", scale=4)
    return out.getvalue().decode()
