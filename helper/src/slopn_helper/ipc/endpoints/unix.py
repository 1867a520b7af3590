"""The Unix socket on Linux: who connects is the kernel's word (unix(7): SO_PEERCRED, SO_PEERGROUPS, SO_PEERPIDFD)."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import socket
import struct
from pathlib import Path

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.sockets import Keeper, SocketEndpoint

_UCRED = struct.Struct("3i")
# asm-generic/socket.h; Python 3.11 has no names for these two.
_SO_PEERGROUPS = 59
_SO_PEERPIDFD = 77
_MAX_GROUPS = 256  # socket.getsockopt takes a buffer of at most 1024 bytes
_LONGEST_CGROUPS = 1 << 14
# Of the unified hierarchy, or systemd's own of the older kind.
_SESSION = re.compile(r"(?:0:[^:]*|[0-9]+:name=systemd):(?:/[^/]+\.slice)*/session-([A-Za-z0-9]+)\.scope(?:/|$)")


class UnixEndpoint(SocketEndpoint):
    """`helper.sock` in `runtime_dir`, as `SocketEndpoint` says it. Raises `OSError`."""

    def __init__(self, runtime_dir: Path, group: int | None, keeper: Keeper | None = None) -> None:
        super().__init__(runtime_dir, group, _Peers(), keeper)


class _Peers:
    """See `sockets.Peers`."""

    def connected(self, end: socket.socket) -> Credentials:
        return peer_credentials(end)

    async def secured(self, _end: socket.socket, peer: Credentials) -> Credentials:
        return peer


def peer_credentials(peer: socket.socket) -> Credentials:
    """Who is at the other end of `peer`, as of the moment it connected.

    `exe` and `session` are None when they can't be told for sure. A process in more than 256 groups counts as a member
    of its primary group alone.
    """
    pid, uid, gid = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    exe, session = _process(peer, pid)
    return Credentials(uid=uid, gid=gid, groups=_groups(peer), pid=pid, exe=exe, session=session)


def session_of(cgroups: str) -> str | None:
    """The login session in the text of /proc/PID/cgroup (cgroups(7)), as systemd names its units: `c2`.

    None for what a user's service manager has started, and for services. Only the first unit below the slices counts:
    what comes below it is the user's own to name.
    """
    # Only a line feed ends a line here; a folder's name may have in it whatever else Python takes for an end.
    for line in cgroups.split("\n"):
        found = _SESSION.match(line)
        if found is not None:
            return found[1]
    return None


def _groups(peer: socket.socket) -> tuple[int, ...]:
    try:
        raw = peer.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_GROUPS * 4)
    except OSError:
        return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)


def _process(peer: socket.socket, pid: int) -> tuple[str | None, str | None]:
    """Read /proc/PID while a pidfd shows that PID is still the peer, and no later process of that number."""
    try:
        pidfd = _pidfd(peer, pid)
    except OSError:
        return None, None
    try:
        # Without pathlib and io: this is most of what one more connection of a flood costs.
        path = os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115
        session = session_of(_text(f"/proc/{pid}/cgroup"))
        # Without CAP_KILL, which our unit hasn't, the answer of a living process of another user is "not permitted".
        with contextlib.suppress(PermissionError):
            signal.pidfd_send_signal(pidfd, 0)
    except OSError:
        return None, None
    finally:
        os.close(pidfd)
    return path, session


def _text(path: str) -> str:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, _LONGEST_CGROUPS).decode(errors="replace")
    finally:
        os.close(file)


def _pidfd(peer: socket.socket, pid: int) -> int:
    try:
        return peer.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise
        return os.pidfd_open(pid)
