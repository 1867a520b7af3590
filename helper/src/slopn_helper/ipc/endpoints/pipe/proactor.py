"""Accepted pipes in asyncio's loop on Windows.

asyncio serves pipes, but with a security descriptor of its own making; so the handles are ours and the loop does the
rest, through three parts of it that have no public name. They have kept their shape since Python 3.4; a test looks
whether this Python still has them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast


class Pipe:
    """An overlapped pipe handle, as asyncio wants it: like a file."""

    def __init__(self, handle: int, close: Callable[[int], None]) -> None:
        self._handle: int | None = handle
        self._close = close

    def fileno(self) -> int:
        """The handle. Raises `ValueError` once closed."""
        if self._handle is None:
            raise ValueError("closed pipe")
        return self._handle

    def close(self) -> None:
        """More than once does no harm."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._close(handle)


class Pipes(Protocol):
    """What an endpoint needs of the loop."""

    def accept(self, pipe: Pipe) -> asyncio.Future[Any]:
        """Done when a client has opened this instance. Raises `OSError` itself when one has come and gone already."""
        ...

    def send(self, pipe: Pipe, data: bytes) -> asyncio.Future[Any]:
        """Begin to write at once; done when the pipe has taken it. Raises `OSError`."""
        ...

    def transport(self, pipe: Pipe, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Both directions of a connected pipe. Nothing is read before the loop's next turn."""
        ...


class _Proactor(Protocol):
    def accept_pipe(self, pipe: Pipe) -> asyncio.Future[Any]: ...

    def send(self, conn: Pipe, buf: bytes) -> asyncio.Future[Any]: ...


class _Loop(Protocol):
    _proactor: _Proactor

    def _make_duplex_pipe_transport(self, sock: Pipe, protocol: asyncio.Protocol) -> asyncio.Transport: ...


class ProactorPipes:
    """The running loop, which must be a `ProactorEventLoop`."""

    def accept(self, pipe: Pipe) -> asyncio.Future[Any]:
        """See `Pipes`."""
        return _loop()._proactor.accept_pipe(pipe)  # noqa: SLF001 - see the module

    def send(self, pipe: Pipe, data: bytes) -> asyncio.Future[Any]:
        """See `Pipes`."""
        return _loop()._proactor.send(pipe, data)  # noqa: SLF001 - see the module

    def transport(self, pipe: Pipe, protocol: asyncio.Protocol) -> asyncio.Transport:
        """See `Pipes`."""
        return _loop()._make_duplex_pipe_transport(pipe, protocol)  # noqa: SLF001 - see the module


def _loop() -> _Loop:
    return cast("_Loop", asyncio.get_running_loop())
