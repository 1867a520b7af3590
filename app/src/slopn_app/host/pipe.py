r"""Windows: the helper behind `\\.\pipe\slopn`. Whoever comes first may take that name, so who owns the pipe is asked first.

The owner proves it: only SYSTEM, or who may write any owner, can make a pipe that is SYSTEM's, and the helper's access
list lets nobody add an instance to it. The server's process proves less, since users may not look at SYSTEM's tokens.
"""

from __future__ import annotations

import time

from slopn_app.host.tls import TlsStream
from slopn_app.trouble import Impostor

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    import ssl
    from typing import Any, Protocol

    from slopn_app.host.interfaces import Stream

    class Kernel(Protocol):
        """Every call to Windows that is needed here. Each raises `OSError`."""

        def open(self, path: str) -> int:
            """A handle for overlapped reads and writes. The server may tell who we are, but not act as us.

            Raises `BlockingIOError` when no instance is free.
            """
            ...

        def owner(self, handle: int) -> str:
            """The SID of the pipe's owner."""
            ...

        def me(self) -> str:
            """The SID of this process's user."""
            ...

        def read(self, handle: int, size: int, timeout: float | None) -> bytes:
            """Wait for data, at most `size` bytes; empty at the end. Raises `TimeoutError`."""
            ...

        def write(self, handle: int, data: bytes, timeout: float | None) -> None:
            """Write all of it. Raises `TimeoutError`; how much has left isn't known then."""
            ...

        def close(self, handle: int) -> None:
            """CloseHandle."""
            ...


SYSTEM = "S-1-5-18"
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1


class PipeStream:
    """An open pipe; see `Stream`."""

    def __init__(self, kernel: Kernel, handle: int) -> None:
        self._kernel = kernel
        self._handle: int | None = handle
        self._timeout: float | None = None

    def settimeout(self, value: float | None, /) -> None:
        """See `Stream.settimeout`."""
        self._timeout = value

    def recv(self, bufsize: int, /) -> bytes:
        """See `Stream.recv`."""
        return self._kernel.read(self._open(), bufsize, self._timeout)

    def sendall(self, data: bytes, /) -> None:
        """See `Stream.sendall`."""
        self._kernel.write(self._open(), data, self._timeout)

    def close(self) -> None:
        """See `Stream.close`."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._kernel.close(handle)

    def detach(self) -> _Handle:
        """The handle for asyncio, which closes it from now on."""
        handle, self._handle = self._open(), None
        return _Handle(self._kernel, handle)

    def _open(self) -> int:
        if self._handle is None:
            raise ConnectionAbortedError("the pipe is closed")
        return self._handle


class PipeTransport:
    """See `Transport`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def connect(self, path: str, timeout: float) -> PipeStream:
        """Open the pipe `path`, waiting for a free instance, and look whose it is before a word is said."""
        stream = PipeStream(self._kernel, handle := self._wait_for(path, timeout))
        try:
            self._look_at_the_owner(handle)
            stream.settimeout(timeout)
        except BaseException:
            stream.close()
            raise
        return stream

    def secure(self, stream: Stream, context: ssl.SSLContext, name: str) -> Stream:
        """TLS inside the pipe."""
        return TlsStream(stream, context, name)

    async def adopt(
        self,
        stream: Stream,
        context: ssl.SSLContext,
        name: str,
        timeout: float,  # noqa: ASYNC109 - see `Transport`
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """TLS inside the pipe, by asyncio's loop for Windows.

        It opens pipes itself, but asks for GENERIC_WRITE, which our pipe gives to no user; hence the private method.
        """
        import asyncio

        if not isinstance(stream, PipeStream):
            raise TypeError("a stream of another transport")
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        raw = _transport(loop, stream.detach(), asyncio.Protocol())
        try:
            secured = await loop.start_tls(raw, protocol, context, server_hostname=name, ssl_handshake_timeout=timeout)
        except BaseException:
            raw.abort()
            raise
        if secured is None:
            raise ConnectionAbortedError("the helper is gone")
        protocol.connection_made(secured)
        return reader, asyncio.StreamWriter(secured, protocol, reader, loop)

    def _look_at_the_owner(self, handle: int) -> None:
        owner = self._kernel.owner(handle)
        if owner not in {SYSTEM, self._kernel.me()}:
            raise Impostor(int(owner.rpartition("-")[2]))

    def _wait_for(self, path: str, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while True:
            try:
                return self._kernel.open(path)
            except BlockingIOError:
                if time.monotonic() + pause >= deadline:
                    raise TimeoutError(f"{path} takes no more connections") from None
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


class _Handle:
    """A handle as asyncio wants it: like a file."""

    def __init__(self, kernel: Kernel, handle: int) -> None:
        self._kernel = kernel
        self._handle: int | None = handle

    def fileno(self) -> int:
        if self._handle is None:
            raise ValueError("closed pipe")
        return self._handle

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            self._kernel.close(handle)


def _transport(loop: Any, handle: _Handle, protocol: asyncio.Protocol) -> asyncio.Transport:
    made: asyncio.Transport = loop._make_duplex_pipe_transport(handle, protocol)  # noqa: SLF001 - see adopt
    return made
