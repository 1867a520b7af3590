"""Who may command the helper: paired front ends, users of this computer, and what each may do."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Right(StrEnum):
    """What a front end may do."""

    VIEW = "view"
    """See state, settings, profiles without their keys, and the log."""
    CONNECT = "connect"
    """Connect, disconnect, reconnect, pause."""
    CONFIGURE = "configure"
    """Change settings and profiles, export a profile with its keys, see and end pairings, unlock."""


class Device(Struct, frozen=True):
    """A paired front end: a program of one user that holds a certificate of the helper's."""

    id: str
    """Stays the same when the certificate is renewed."""
    name: str
    user: str
    uid: int
    """On Windows the last part of the user's SID."""
    rights: tuple[Right, ...]
    created: float
    """Unix time, as all times here."""
    expires: float
    last_seen: float | None = None
    """By the day: it isn't a log."""


class PendingPairing(Struct, frozen=True):
    """A front end that waits for its number to be repeated. The number itself comes with `Pairings` alone."""

    id: str
    name: str
    user: str
    uid: int
    program: str
    """Path of the executable that asks, as the system says it; empty if it doesn't."""
    rights: tuple[Right, ...]
    expires: float


class ShownPairing(Struct, frozen=True):
    """A waiting front end with the number that its user must repeat."""

    pairing: PendingPairing
    number: str


class UserBasis(StrEnum):
    """Why somebody may use SloPN."""

    ROOT = "root"
    GROUP = "group"
    """A member of the group `slopn`."""
    ADDED = "added"
    """By `slopn users add`."""
    SEAT = "seat"
    """Sits at this computer's screen, and the setting `local_user` is on."""


class AllowedUser(Struct, frozen=True):
    """A user who may use SloPN, and why."""

    name: str
    uid: int
    basis: UserBasis
