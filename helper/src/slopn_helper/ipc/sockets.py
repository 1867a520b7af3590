"""A Unix socket to listen at, and TLS on those who come: the same on every system that has them.

Who comes is asked of `Peers`, since each system says it in a way of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import stat
from pathlib import Path
from typing import Protocol

from slopn_helper.ipc.authz import Credentials

SOCKET_NAME = "helper.sock"
_BACKLOG = 32  # a stranger's flood fills it, and who comes next waits for all of it: it is short
_READ_LIMIT = 1 << 14  # half of what a client may send ahead while an earlier request of its is being answered
_SHUTDOWN = 1.0


class Peers(Protocol):
    """Who is at the other end of a socket."""

    def connected(self, end: socket.socket) -> Credentials:
        """As of now, before a word was said. Raises `OSError`."""
        ...

    async def secured(self, end: socket.socket, peer: Credentials) -> Credentials:
        """What is known once TLS stands: `peer`, corrected. Raises `OSError`."""
        ...


class Keeper(Protocol):
    """Holds a listening socket while no helper runs: who connects then waits for the next one."""

    def held(self, path: Path) -> socket.socket | None:
        """The socket that `path` leads to, if it is held; it doesn't block. Others that are held are let go."""
        ...

    def hold(self, listener: socket.socket, path: Path) -> None:
        """Hold `listener`, which `path` leads to, from now on."""
        ...


class SocketEndpoint:
    """`helper.sock` in `directory` (made if need be, 0755): 0660 and of group `group`, or 0600 where that is None.

    Make it under the state directory's lock alone: whatever socket lies there is taken for a dead helper's.
    `keeper` may hold that socket from before: then whoever waits at it is served, and it stays when this ends.
    Raises `OSError` when directory or socket can't be made, or aren't ours to use.
    """

    def __init__(self, directory: Path, group: int | None, peers: Peers, keeper: Keeper | None = None) -> None:
        _prepare(directory)
        self.path = directory / SOCKET_NAME
        self._peers = peers
        held = None if keeper is None else keeper.held(self.path)
        self._stays = keeper is not None
        if held is None:
            self._group = group
            self._listener = _listen(self.path, group, _mode(group))
        else:
            self._group = None
            self._listener = held
            self.belong_to(group)
            self.open_to_all(everybody=False)
        self._inode = self.path.lstat().st_ino
        if keeper is not None:
            keeper.hold(self._listener, self.path)

    def belong_to(self, group: int | None) -> None:
        """Another group's, or nobody's but the owner's: it may come and go while we run. Raises `OSError`."""
        if group != self._group:
            os.chown(self.path, -1, os.getegid() if group is None else group)
            self._group = group

    def open_to_all(self, everybody: bool) -> None:  # noqa: FBT001 - on or off is all that it says
        """Whether users outside the group may connect at all: 0666. What each may do is decided after that.

        At first they may not. Those who are connected stay. Raises `OSError`.
        """
        self.path.chmod(0o666 if everybody else _mode(self._group))

    async def accept(self) -> SocketConnection:
        """The next client with its credentials."""
        end = await self._next()
        try:
            return SocketConnection(end, self._peers)
        except BaseException:
            end.close()
            raise

    async def _next(self) -> socket.socket:
        # Not `sock_accept`: when its caller is cancelled in the turn of the loop in which a client came, nobody
        # closes that client's socket.
        loop = asyncio.get_running_loop()
        while True:
            try:
                return self._listener.accept()[0]
            except (BlockingIOError, ConnectionAbortedError):
                somebody = asyncio.Event()
                loop.add_reader(self._listener, somebody.set)
                try:
                    await somebody.wait()
                finally:
                    loop.remove_reader(self._listener)

    def close(self) -> None:
        """Close and unlink the socket, unless it is held for the next helper or another has put its own there."""
        self._listener.close()
        if self._stays:
            return
        with contextlib.suppress(FileNotFoundError):
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()


def _mode(group: int | None) -> int:
    return 0o600 if group is None else 0o660


class SocketConnection:
    """An accepted client. `end` belongs to it from now on. Raises `OSError` when the system doesn't say who it is."""

    def __init__(self, end: socket.socket, peers: Peers) -> None:
        self.peer = peers.connected(end)
        self._end = end
        self._peers = peers
        self._transport: asyncio.Transport | None = None
        end.setblocking(False)

    def say(self, data: bytes) -> None:
        """See `Connection.say`."""
        if self._end.send(data) != len(data):
            raise BlockingIOError(errno.EAGAIN, "the client's buffer is full before a word was said")

    async def secure(self, context: ssl.SSLContext, within: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See `Connection.secure`. `peer` may be another after that."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_READ_LIMIT, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            self._transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, self._end, ssl=context, ssl_handshake_timeout=within, ssl_shutdown_timeout=_SHUTDOWN
            )
            self.peer = await self._peers.secured(self._end, self.peer)
        except ConnectionAbortedError as error:
            # asyncio's word for a handshake that took too long; a Unix socket itself never says so.
            self.close()
            raise TimeoutError("the TLS handshake took too long") from error
        except BaseException:
            self.close()
            raise
        return reader, asyncio.StreamWriter(self._transport, protocol, reader, loop)

    def close(self) -> None:
        """See `Connection.close`."""
        if self._transport is not None:
            self._transport.close()
        else:
            self._end.close()


def _prepare(directory: Path) -> None:
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "must be a directory of ours that nobody else may write to", str(directory))
    directory.chmod(0o755)


def _listen(path: Path, group: int | None, mode: int) -> socket.socket:
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
            fresh.chmod(mode)
        listener.listen(_BACKLOG)
        fresh.rename(path)
    except BaseException:
        listener.close()
        fresh.unlink(missing_ok=True)
        raise
    return listener
