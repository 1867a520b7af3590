"""Who asks something of the helper, and what they may."""

from __future__ import annotations

from msgspec import Struct

from slopn_wire.devices import Right, UserBasis

ALL_RIGHTS = frozenset(Right)


class Principal(Struct, frozen=True):
    """Who is at the other end of a connection: the system's word for the user, the certificate's for the front end."""

    uid: int
    """On Windows the last part of the user's SID."""
    gid: int
    pid: int
    """0 where the system doesn't say, or the process is in another PID namespace."""
    exe: str | None
    """For the log and for pairing in silence; a program can't be trusted for its path alone."""
    rights: frozenset[Right]
    """What both the user and the certificate allow; nothing without a certificate."""
    user: str = ""
    """The user's name; the number as text where there is none."""
    basis: UserBasis | None = None
    """Why this user may use SloPN; None: may not."""
    session: str | None = None
    """The login session of the process, as logind names it (`c2`)."""
    device: str | None = None
    """The paired front end; None while the connection has no valid certificate."""
