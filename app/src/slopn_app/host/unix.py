"""The Unix socket: who listens is the kernel's word (unix(7): SO_PEERCRED; on macOS LOCAL_PEERCRED)."""

from __future__ import annotations

import os
import socket
import struct

from slopn_app.trouble import Impostor

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Callable

    from slopn_app.host.interfaces import Stream

_UCRED = struct.Struct("3i")
_TIMEVAL = struct.Struct("@ll")
# sys/un.h and sys/ucred.h of macOS: SOL_LOCAL, LOCAL_PEERCRED, and struct xucred up to the user's number.
_SOL_LOCAL = 0
_LOCAL_PEERCRED = 1
_XUCRED = struct.Struct("@II")
_XUCRED_SIZE = 76


class UnixTransport:
    """A stream socket in the file system. `peer_uid` asks the kernel who made the other end."""

    def __init__(self, peer_uid: Callable[[socket.socket], int]) -> None:
        self._peer_uid = peer_uid

    def connect(self, path: str, timeout: float) -> socket.socket:
        """Connect to `path`. Raises `OSError`, `Impostor`."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # While the helper's queue is full, a socket with a time-out of Python's would fail at once (EAGAIN); one of
            # the kernel's waits its turn.
            seconds = max(timeout, 0.001)
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(int(seconds), int(seconds % 1 * 1e6))
            )
            try:
                connection.connect(path)
            except BlockingIOError:
                raise TimeoutError(f"{path} takes no more connections") from None
            _trusted(self._peer_uid(connection))
            connection.settimeout(seconds)
        except BaseException:
            connection.close()
            raise
        return connection

    def secure(self, stream: Stream, context: ssl.SSLContext, name: str) -> Stream:
        """TLS over the socket."""
        try:
            return context.wrap_socket(_socket(stream), server_hostname=name)
        except BaseException:
            stream.close()
            raise

    async def adopt(
        self,
        stream: Stream,
        context: ssl.SSLContext,
        name: str,
        timeout: float,  # noqa: ASYNC109 - see `Transport`
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """TLS over the socket, by asyncio."""
        import asyncio

        try:
            connection = _socket(stream)
            connection.setblocking(False)
            return await asyncio.open_connection(
                sock=connection, ssl=context, server_hostname=name, ssl_handshake_timeout=timeout
            )
        except BaseException:
            stream.close()
            raise


def _trusted(uid: int) -> None:
    if uid not in {0, os.geteuid()}:
        raise Impostor(uid)


def _socket(stream: Stream) -> socket.socket:
    if not isinstance(stream, socket.socket):
        raise TypeError("a stream of another transport")
    return stream


def linux_peer_uid(connection: socket.socket) -> int:
    """Who listened when `connection` was made, by Linux."""
    option = getattr(socket, "SO_PEERCRED", 17)
    _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))
    return int(uid)


def macos_peer_uid(connection: socket.socket) -> int:
    """Who listened when `connection` was made, by macOS."""
    _, uid = _XUCRED.unpack_from(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE))
    return int(uid)
