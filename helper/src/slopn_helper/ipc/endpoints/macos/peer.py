"""Who is at the other end of a socket, as macOS tells it: struct xucred and the audit token. Pure.

xucred (sys/ucred.h) is of the moment of connecting: the user and the groups come from it alone. The audit token
(mach/message.h; its parts as libbsm names them) is of the process that used the socket last, when we ask: it names the
program, and one that has run another program since it connected has another token.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from msgspec import Struct

from slopn_helper.ipc.authz import Credentials

SOL_LOCAL = 0
LOCAL_PEERCRED = 0x001
LOCAL_PEERPID = 0x002
LOCAL_PEERTOKEN = 0x006
"""sys/un.h."""

_XUCRED = struct.Struct("@IIh16I")
_XUCRED_VERSION = 0
_MAX_GROUPS = 16
_TOKEN = struct.Struct("@8I")
_PID = struct.Struct("@i")


class Xucred(Struct, frozen=True):
    """A user and at most 16 groups, the first of which is the primary one."""

    uid: int
    groups: tuple[int, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Xucred:
        """From the kernel's bytes. Raises `OSError` for a layout that isn't this one."""
        if len(raw) != _XUCRED.size:
            raise OSError(f"struct xucred of {len(raw)} bytes")
        version, uid, count, *groups = _XUCRED.unpack(raw)
        if version != _XUCRED_VERSION or not 1 <= count <= _MAX_GROUPS:
            raise OSError(f"struct xucred of version {version} with {count} groups")
        return cls(uid, tuple(groups[:count]))


class AuditToken(Struct, frozen=True):
    """A process: not just its number, but which of all that ever had that number, and which program it has come to run."""

    raw: bytes
    uid: int
    """The effective one."""
    pid: int
    session: int
    version: int

    @classmethod
    def parse(cls, raw: bytes) -> AuditToken:
        """From the kernel's bytes. Raises `OSError` for a layout that isn't this one."""
        if len(raw) != _TOKEN.size:
            raise OSError(f"an audit token of {len(raw)} bytes")
        _, uid, _, _, _, pid, session, version = _TOKEN.unpack(raw)
        return cls(raw, uid, pid, session, version)


class MacCredentials(Credentials, frozen=True, kw_only=True):
    """`session`: the audit session's number. A user in more than 16 groups may not be seen as a member of the others."""

    signed: bool = False
    """The program is one of our own front ends, by its code signature; found out once TLS stands."""


def credentials(option: Callable[[int, int], bytes], image: Callable[[AuditToken], str | None]) -> MacCredentials:
    """Who is at the other end. `option`: getsockopt(2) of SOL_LOCAL, by number and size. Raises `OSError`.

    `image`: the path of a process's program; None if that process is gone.
    """
    who = Xucred.parse(option(LOCAL_PEERCRED, _XUCRED.size))
    token = audit_token(option, who.uid)
    return MacCredentials(
        uid=who.uid,
        gid=who.groups[0],
        groups=who.groups[1:],
        pid=token.pid if token else _pid(option),
        exe=image(token) if token else None,
        session=str(token.session) if token else None,
    )


def audit_token(option: Callable[[int, int], bytes], uid: int) -> AuditToken | None:
    """The process at the other end; None when it is gone, or acts for another user than `uid`, who connected."""
    try:
        token = AuditToken.parse(option(LOCAL_PEERTOKEN, _TOKEN.size))
    except OSError:
        return None
    return token if token.uid == uid else None


def _pid(option: Callable[[int, int], bytes]) -> int:
    """For the log alone."""
    try:
        (pid,) = _PID.unpack(option(LOCAL_PEERPID, _PID.size))
    except OSError:
        return 0
    return int(pid)
