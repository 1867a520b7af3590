"""Who asks something of the helper, and what they may."""

from __future__ import annotations

from enum import Flag, auto

from msgspec import Struct


class Right(Flag):
    """What a principal may do. None of them: `Right(0)`."""

    VIEW = auto()
    """See state, settings, profiles without their keys, and the log."""
    CONNECT = auto()
    """Connect, disconnect, reconnect."""
    CONFIGURE = auto()
    """Change settings and profiles, export a profile with its keys."""


ALL_RIGHTS = Right.VIEW | Right.CONNECT | Right.CONFIGURE


class Principal(Struct, frozen=True):
    """Who is at the other end of a connection: the system's word, not the client's."""

    uid: int
    gid: int
    pid: int
    """0 where the system doesn't say, or the process is in another PID namespace."""
    exe: str | None
    """For the log alone: a program can't be trusted for its path."""
    rights: Right
