"""Who is at the other end of the pipe. The token it was opened with says which user; the process only which program.

A process number proves little: its process may have handed the pipe on and ended, and the number may be another's by
now. So the user never comes from it, and the program only while everything fits together. A program of the same user
can still pose as another one; that is no boundary, here as on every platform.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.endpoints.pipe.sddl import NETWORK, SYSTEM, Sid

MEDIUM = 0x2000
"""Integrity of a user's ordinary programs (winnt.h: SECURITY_MANDATORY_MEDIUM_RID); sandboxes are below."""
IDENTIFICATION = 1
"""SECURITY_IMPERSONATION_LEVEL from which on a token says who it is. Our front ends grant this and no more."""
NO_GROUP = 0xFFFF_FFFF
"""Windows has no primary group that would mean anything."""
_BUILTIN = (5, 32)


class Token(Struct, frozen=True):
    """What the client's access token says."""

    user: Sid
    groups: tuple[Sid, ...]
    """Those in force. Administrators is missing for an administrator who isn't elevated: it only denies then."""
    integrity: int
    elevated: bool
    session: int
    """Of the desktop; 0 is where services run."""
    level: int


class Program(Struct, frozen=True):
    """What the client's process is, seen through a handle that keeps its number from being used again."""

    user: Sid
    session: int
    image: str


class Caller(Protocol):
    """The calls that tell. Each raises `OSError`."""

    def client_pid(self, pipe: int) -> int:
        """GetNamedPipeClientProcessId."""
        ...

    def client_token(self, pipe: int) -> Token:
        """ImpersonateNamedPipeClient, the thread's token, and back."""
        ...

    def program(self, pid: int) -> Program:
        """A living process."""
        ...

    def connected(self, pipe: int) -> bool:
        """Is there still somebody at the other end?"""
        ...


class PipeCredentials(Credentials, frozen=True, kw_only=True):
    """`uid`: the last part of the user's SID, 0 for SYSTEM. `groups`: the like of BUILTIN's groups (544: Administrators)."""

    sid: str
    """The whole of it: two domains may have the same last part."""
    elevated: bool = False


def credentials(caller: Caller, pipe: int) -> PipeCredentials:
    """Who opened `pipe`. Raises `OSError`, `PermissionError` for one that nothing of ours would be."""
    pid = caller.client_pid(pipe)
    token = caller.client_token(pipe)
    _vet(token)
    return PipeCredentials(
        uid=_uid(token.user),
        gid=NO_GROUP,
        groups=tuple(
            sid.rid for sid in token.groups if (sid.authority, sid.parts[0]) == _BUILTIN and len(sid.parts) == 2
        ),
        pid=pid,
        exe=_image(caller, pipe, pid, token),
        session=str(token.session),
        sid=str(token.user),
        elevated=token.elevated,
    )


def _vet(token: Token) -> None:
    """The pipe's own list says all this already: it holds should that list ever be weaker than it must."""
    if token.level < IDENTIFICATION:
        raise PermissionError("the client hides who it is")
    if NETWORK in token.groups:
        raise PermissionError("the client comes over the network")
    if token.integrity < MEDIUM:
        raise PermissionError("the client runs at low integrity")
    if token.user != SYSTEM and not token.user.is_account:
        raise PermissionError(f"the client is no person's account: {token.user}")


def _uid(user: Sid) -> int:
    """0 means all rights, and is SYSTEM's alone: the last part of a foreign domain's SID is whatever that domain likes."""
    if user == SYSTEM:
        return 0
    if user.rid == 0:
        raise PermissionError(f"the client's account can't be told from SYSTEM: {user}")
    return user.rid


def _image(caller: Caller, pipe: int, pid: int, token: Token) -> str | None:
    """The program's path while its process is the user's, in the same session, and still the one at the other end."""
    try:
        program = caller.program(pid)
        same = caller.client_pid(pipe) == pid and caller.connected(pipe)
    except OSError:
        return None
    if not same or (program.user, program.session) != (token.user, token.session):
        return None
    return program.image
