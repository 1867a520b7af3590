r"""`\\.\pipe\slopn`: several instances wait for clients at any time, so that none is told that the pipe is busy."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from typing import Any, Protocol

from slopn_helper.ipc.endpoints.pipe.caller import Caller, PipeCredentials, credentials
from slopn_helper.ipc.endpoints.pipe.proactor import Pipe, Pipes
from slopn_helper.ipc.endpoints.pipe.sddl import Sid, descriptor

NAME = r"\\.\pipe\slopn"
WAITING = 4
"""Instances that wait for a client."""
_READ_LIMIT = 1 << 14  # half of what a client may send ahead while an earlier request of its is being answered
_SHUTDOWN = 1.0


class Windows(Caller, Protocol):
    """Every call to Windows that the endpoint makes. Each raises `OSError`."""

    def create(self, name: str, security: str, *, first: bool) -> int:
        """A new instance, for this computer's clients alone, bytes in both directions. `first`: fails if there is one."""
        ...

    def protect(self, pipe: int, security: str) -> None:
        """Replace the access list of all instances."""
        ...

    def close(self, handle: int) -> None:
        """CloseHandle."""
        ...


class PipeEndpoint:
    """The pipe for `users`, besides SYSTEM and administrators.

    There is always an instance of ours, so that nobody else can take the name. Raises `PermissionError` when somebody
    has it already, `OSError`, `ValueError` for a user who can't be let in.
    """

    def __init__(self, windows: Windows, pipes: Pipes, users: Iterable[Sid], *, name: str = NAME) -> None:
        self._windows = windows
        self._pipes = pipes
        self._name = name
        self._security = descriptor(users)
        self._waiting: dict[asyncio.Future[Any], Pipe] = {}
        self._open = True
        try:
            self._first: Pipe | None = self._create(first=True)
        except PermissionError as error:
            raise PermissionError(error.errno, f"{name} is taken by another program", name) from error

    def admit(self, users: Iterable[Sid]) -> None:
        """Who may open the pipe from now on; who has it open keeps it. Raises `OSError`, `ValueError`."""
        security = descriptor(users)
        pipe = self._first or next(iter(self._waiting.values()), None)
        if pipe is not None:
            self._windows.protect(pipe.fileno(), security)
        self._security = security

    async def accept(self) -> PipeConnection:
        """The next client with its credentials."""
        while True:
            self._offer()
            # One turn of the loop at least: clients that only come and go must not stop all else.
            await asyncio.sleep(0)
            if not self._waiting:
                continue
            done, _ = await asyncio.wait(self._waiting, return_when=asyncio.FIRST_COMPLETED)
            taken = done.pop()
            pipe = self._waiting.pop(taken, None)
            if pipe is None:  # closed meanwhile
                continue
            try:
                # Before this one can go, so that the name stays ours.
                with contextlib.suppress(OSError):
                    self._offer()
                taken.result()
                return PipeConnection(self._pipes, pipe, credentials(self._windows, pipe.fileno()))
            except BrokenPipeError:
                pipe.close()
            except BaseException:
                pipe.close()
                raise

    def close(self) -> None:
        """Take no more clients; those that were accepted stay."""
        self._open = False
        for future, pipe in self._waiting.items():
            future.cancel()
            pipe.close()
        self._waiting.clear()
        if self._first is not None:
            self._first.close()
            self._first = None

    def _offer(self) -> None:
        """Let as many instances wait as there should be. Raises `OSError` when not a single one can."""
        if not self._open:
            raise ConnectionAbortedError("the endpoint is closed")
        try:
            for _ in range(2 * WAITING):
                if len(self._waiting) >= WAITING:
                    return
                self._offer_one()
        except OSError:
            if not self._waiting:
                raise

    def _offer_one(self) -> None:
        pipe, self._first = self._first or self._create(first=False), None
        try:
            self._waiting[self._pipes.accept(pipe)] = pipe
        except BrokenPipeError:
            # A client came and went. The next instance is made before this one goes.
            self._first = self._create_or_none()
            pipe.close()
        except BaseException:
            pipe.close()
            raise

    def _create_or_none(self) -> Pipe | None:
        with contextlib.suppress(OSError):
            return self._create(first=False)
        return None

    def _create(self, *, first: bool) -> Pipe:
        return Pipe(self._windows.create(self._name, self._security, first=first), self._windows.close)


class PipeConnection:
    """An accepted client."""

    def __init__(self, pipes: Pipes, pipe: Pipe, peer: PipeCredentials) -> None:
        self._pipes = pipes
        self._pipe = pipe
        self._peer = peer
        self._said: asyncio.Future[Any] | None = None
        self._raw: asyncio.Transport | None = None
        self._secured: asyncio.Transport | None = None

    @property
    def peer(self) -> PipeCredentials:
        """Who it is, by the operating system."""
        return self._peer

    def say(self, data: bytes) -> None:
        """Send the greeting, in plain."""
        self._said = self._pipes.send(self._pipe, data)
        self._said.add_done_callback(_seen)

    async def secure(self, context: ssl.SSLContext, within: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Be the server of a TLS handshake that may take `within` seconds."""
        try:
            async with asyncio.timeout(within):
                if self._said is not None:
                    await self._said
                return await self._handshake(context, within)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up. What the pipe has taken is still there for the client to read."""
        if self._secured is not None:
            self._secured.close()
        elif self._raw is not None:
            self._raw.abort()
        else:
            self._pipe.close()

    async def _handshake(
        self, context: ssl.SSLContext, within: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_READ_LIMIT, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        # Made here and not before: start_tls takes over before the first byte is read, so none can go astray.
        self._raw = self._pipes.transport(self._pipe, asyncio.Protocol())
        secured = await loop.start_tls(
            self._raw,
            protocol,
            context,
            server_side=True,
            ssl_handshake_timeout=within + 1,  # `secure` has less patience, and tells a late client from a gone one
            ssl_shutdown_timeout=_SHUTDOWN,
        )
        if secured is None:
            raise ConnectionAbortedError("the client is gone")
        self._secured = secured
        protocol.connection_made(secured)
        return reader, asyncio.StreamWriter(secured, protocol, reader, loop)


def _seen(future: asyncio.Future[Any]) -> None:
    """A greeting that didn't arrive is no news: what follows on the pipe fails as well."""
    if not future.cancelled():
        future.exception()
