"""What a front end asks of the operating system. For types alone: nothing imports this at run time."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AbstractContextManager
from typing import Protocol


class Stream(Protocol):
    """A blocking connection; a `socket.socket` is one."""

    def settimeout(self, value: float | None, /) -> None:
        """How long each of the calls below may take from now on; None: for ever."""
        ...

    def recv(self, bufsize: int, /) -> bytes:
        """Wait for data, at most `bufsize` bytes; empty at the end. Raises `OSError`, of which `TimeoutError` is one."""
        ...

    def sendall(self, data: bytes, /) -> None:
        """Send all of it. Raises as `recv` does."""
        ...

    def close(self) -> None:
        """Hang up. More than once does no harm."""
        ...


class Transport(Protocol):
    """How a helper is reached."""

    def connect(self, path: str, timeout: float) -> Stream:
        """Wait at most `timeout` seconds for the connection.

        Raises `OSError`; `PermissionError` says that the endpoint isn't for this user. Raises `Impostor` when whoever
        listens there is neither the system's administrator nor this user.
        """
        ...

    def secure(self, stream: Stream, context: ssl.SSLContext, name: str) -> Stream:
        """Be the client of a TLS handshake with the server `name`, under the stream's time-out. Raises `OSError`.

        `stream` belongs to the result then; it is closed when this fails.
        """
        ...

    async def adopt(
        self,
        stream: Stream,
        context: ssl.SSLContext,
        name: str,
        timeout: float,  # noqa: ASYNC109 - handed on to asyncio, which bounds the handshake alone by it
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """As `secure`, for asyncio."""
        ...


class Vault(Protocol):
    """The user's keyring. Every call is bounded in time and none ever asks the user anything.

    Raises `slopn_app.credentials.vault.Locked` and `Unavailable` from there.
    """

    def get(self, name: str) -> str | None:
        """The secret `name`; None if there is none."""
        ...

    def put(self, name: str, label: str, secret: str) -> None:
        """Store it. `label` is what a person sees in the keyring's own window."""
        ...

    def delete(self, name: str) -> None:
        """Forget it. One that isn't there is no error."""
        ...


class Files(Protocol):
    """Where this user's programs keep what they must remember."""

    def state_directory(self) -> str:
        """The directory; it may not exist yet. Raises `OSError` where the user has none."""
        ...

    def make_private(self, directory: str) -> None:
        """Make it and those above it, for this user alone. Raises `OSError`, also if it is somebody else's."""
        ...

    def read(self, path: str) -> bytes:
        """All of a file that nobody else may read. Raises `OSError`, also if others may."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Put a whole file there in one step, for this user alone, on disk before this returns. Raises `OSError`."""
        ...

    def lock(self, path: str, timeout: float) -> AbstractContextManager[None]:
        """Hold the lock file, made if need be; wait at most so many seconds. Raises `TimeoutError`, `OSError`."""
        ...
