"""What the helper answers about profiles that there could be, or are new: out of a file, or by a link."""

from __future__ import annotations

from msgspec import Struct

from slopn_wire.profile import Profile


class Checked(Struct, frozen=True, tag="checked"):
    """Reply to `CheckProfile`: what would be stored, or what is wrong and where."""

    profile: Profile | None = None
    problem: str = ""
    """Without the place; empty: nothing is wrong."""
    line: int | None = None
    """Counted from 1, as `column`. None: it is about the name, or about all profiles together."""
    column: int | None = None


class LinkHolds(Struct, frozen=True, tag="link_holds"):
    """Reply to `CheckEnrolment`: all of a link that may be shown. A link that makes no sense is refused."""

    host: str
    port: int
    pin: str
    """SHA-256 of the public key of the gateway's certificate, hexadecimal."""
    name: str
    """What the profile would be called."""


class Enrolled(Struct, frozen=True, tag="enrolled"):
    """Reply to `Enrol` and `RenewEnrolment`: the profile as it is stored now."""

    profile: Profile
