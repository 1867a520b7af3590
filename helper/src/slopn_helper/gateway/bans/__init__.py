"""Who is kept out for a while: counted here or by Fail2Ban, enforced by nftables, seen and lifted in one place."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from slopn_wire.profile import IPNetwork


class Why(StrEnum):
    """What a source was refused for, in a word for machines: in the log's lines, in Fail2Ban's filter and in bans."""

    ENROLMENT = "enrolment"
    """A request to enrol that isn't one, or that proves nothing: malformed, replayed, a wrong proof of possession."""
    BAD_TOKEN = "bad_token"  # noqa: S105 - a word, no token
    """Unknown, used up, expired or revoked."""
    HANDSHAKE_FLOOD = "handshake_flood"
    """More WireGuard handshakes than a device ever needs."""
    NOT_TLS = "not_tls"
    """Something else than TLS 1.3 on the enrolment's port."""
    BY_HAND = "by_hand"
    """An administrator's ban; in no line."""
    UNKNOWN = "unknown"
    """Somebody else's ban that says no reason."""


class By(StrEnum):
    """Who has banned."""

    GATEWAY = "gateway"
    FAIL2BAN = "fail2ban"


class Ban(Struct, frozen=True):
    """One source that is kept out."""

    source: IPNetwork
    """An IPv4 address (/32), or the /64 that an IPv6 host has to itself; by Fail2Ban whatever it was told."""
    by: By
    since: float
    """Unix time."""
    until: float | None
    """Unix time; None: until it is lifted."""
    why: Why
    failures: int | None = None
    """How many led to it; None: nobody has told."""
    level: int = 1
    """The how-manieth ban of this source in a row; each is longer than the one before."""


class BansError(Exception):
    """A ban couldn't be set, lifted or read; the sentence says why."""
