"""The Unix socket: who connects is the kernel's word (unix(7): SO_PEERCRED, SO_PEERGROUPS, SO_PEERPIDFD)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import stat
import struct
from pathlib import Path

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.endpoints import Connection

SOCKET_NAME = "helper.sock"
_BACKLOG = 64
_UCRED = struct.Struct("3i")
# asm-generic/socket.h; Python 3.11 has no names for these two.
_SO_PEERGROUPS = 59
_SO_PEERPIDFD = 77
_MAX_GROUPS = 256  # socket.getsockopt takes a buffer of at most 1024 bytes


class UnixEndpoint:
    """`helper.sock` in `runtime_dir` (made if need be, 0755): 0660 and of group `group`, or 0600 where that is None.

    Call it under the state directory's lock alone: whatever socket lies there is taken for a dead helper's.
    Raises `OSError` when directory or socket can't be made, or aren't ours to use.
    """

    def __init__(self, runtime_dir: Path, group: int | None) -> None:
        _prepare(runtime_dir)
        self.path = runtime_dir / SOCKET_NAME
        self._listener = _listen(self.path, group)
        self._inode = self.path.lstat().st_ino

    async def accept(self) -> Connection:
        """The next client with its credentials."""
        peer, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        try:
            credentials = peer_credentials(peer)
            reader, writer = await asyncio.open_connection(sock=peer)
        except BaseException:
            peer.close()
            raise
        return Connection(reader, writer, credentials)

    def close(self) -> None:
        """Close and unlink the socket, unless another helper has put its own there."""
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()


def peer_credentials(peer: socket.socket) -> Credentials:
    """Who is at the other end of `peer`, as of the moment it connected; `exe` is None when it can't be told for sure.

    A process in more than 256 groups counts as a member of its primary group alone.
    """
    pid, uid, gid = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Credentials(uid=uid, gid=gid, groups=_groups(peer), pid=pid, exe=_executable(peer, pid))


def _prepare(directory: Path) -> None:
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "must be a directory of ours that nobody else may write to", str(directory))
    directory.chmod(0o755)


def _listen(path: Path, group: int | None) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "is no socket, and so not ours to replace", str(path))
    # Owner and mode are set under another name, so that at no moment a stranger finds the socket open.
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        fresh.unlink(missing_ok=True)
        listener.setblocking(False)
        listener.bind(str(fresh))
        fresh.chmod(0o600)
        if group is not None:
            os.chown(fresh, -1, group)
            fresh.chmod(0o660)
        listener.listen(_BACKLOG)
        fresh.rename(path)
    except BaseException:
        listener.close()
        fresh.unlink(missing_ok=True)
        raise
    return listener


def _groups(peer: socket.socket) -> tuple[int, ...]:
    try:
        raw = peer.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_GROUPS * 4)
    except OSError:
        return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)


def _executable(peer: socket.socket, pid: int) -> str | None:
    """Read /proc/PID/exe while a pidfd shows that PID is still the peer, and no later process of that number."""
    try:
        pidfd = _pidfd(peer, pid)
    except OSError:
        return None
    try:
        path = str(Path(f"/proc/{pid}/exe").readlink())
        signal.pidfd_send_signal(pidfd, 0)
    except OSError:
        return None
    finally:
        os.close(pidfd)
    return path


def _pidfd(peer: socket.socket, pid: int) -> int:
    try:
        return peer.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise
        return os.pidfd_open(pid)
