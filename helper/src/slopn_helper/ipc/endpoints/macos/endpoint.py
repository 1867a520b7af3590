"""Who calls on macOS, for the endpoint in `slopn_helper.ipc.sockets`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.endpoints.macos.peer import SOL_LOCAL, AuditToken, MacCredentials, audit_token, credentials
from slopn_helper.ipc.endpoints.macos.requirement import Signer, requirement


class Code(Protocol):
    """What macOS tells of a process's program; `frameworks.Frameworks` asks it."""

    def image(self, token: AuditToken) -> str | None:
        """The path of the program; None when that very process is gone."""
        ...

    def meets(self, token: AuditToken, requirement: str) -> bool:
        """Is its code valid, as it runs, and signed so? May take a while."""
        ...


class MacPeers:
    """The kernel's word, and the code signature. `signer`: None for a build that isn't signed; no program is ours then."""

    def __init__(self, code: Code, signer: Signer | None) -> None:
        self._code = code
        self._requirement = requirement(signer) if signer is not None else None

    def connected(self, end: socket.socket) -> MacCredentials:
        """See `Peers.connected`. Whose program it is isn't looked at before TLS stands: it takes time, and who isn't
        let in shall cost none.
        """
        return credentials(_option(end), self._code.image)

    async def secured(self, end: socket.socket, peer: Credentials) -> MacCredentials:
        """See `Peers.secured`. The program is that of the process which spoke TLS, or none.

        One that connects and then becomes a front end of ours, while a child of its goes on talking, gains nothing.
        """
        option = _option(end)
        first = credentials(option, self._code.image)
        if (first.uid, first.pid, first.exe) != (peer.uid, peer.pid, peer.exe):
            return replace(first, exe=None)
        token = audit_token(option, first.uid)
        if token is None or self._requirement is None:
            return first
        signed = await asyncio.to_thread(self._code.meets, token, self._requirement)
        # The same process still, with the same program: a token doesn't outlive execve(2).
        return replace(first, signed=signed and audit_token(option, first.uid) == token)


def _option(end: socket.socket) -> Callable[[int, int], bytes]:
    return lambda number, size: end.getsockopt(SOL_LOCAL, number, size)
