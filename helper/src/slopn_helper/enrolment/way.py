"""The way to an enrolment API: beside the tunnel, by the helper's mark, and open in the firewall for as long as it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from slopn_helper.addresses import candidates
from slopn_helper.enrolment import https
from slopn_helper.enrolment.exchange import Post
from slopn_helper.enrolment.https import Answer, HttpsError, NotReached
from slopn_helper.gateways import Resolve
from slopn_helper.tunnel.context import Errand
from slopn_wire.profile import Endpoint, IPAddress

RESOLVE_WITHIN = 8.0
"""Seconds for the API's name."""
ADMIT_WITHIN = 10.0
"""Seconds for the firewall. If it takes longer, the request meets closed rules, and fails."""

_log = logging.getLogger(__name__)

Admit = Callable[[Errand], Awaitable[None]]
"""Lets this process's own packets pass to whom the errand names, and to nobody any more that it doesn't name."""


class Send(Protocol):
    """`https.post`."""

    async def __call__(
        self, address: IPAddress, port: int, host: str, pin: bytes, path: str, body: bytes, fwmark: int
    ) -> Answer:
        """Raises `HttpsError`."""
        ...


class Way:
    """One errand at a time."""

    def __init__(
        self,
        admit: Admit,
        resolve: Resolve,
        around: Callable[[], tuple[Sequence[IPAddress], frozenset[int]]],
        fwmark: int,
        send: Send = https.post,
    ) -> None:
        """`around`: whom to ask for names, and the IP versions with a way out."""
        self._admit = admit
        self._resolve = resolve
        self._around = around
        self._fwmark = fwmark
        self._send = send
        self._busy = asyncio.Lock()

    @asynccontextmanager
    async def to(self, api: Endpoint, pin: bytes) -> AsyncIterator[Post]:
        """Talk to one gateway's API. Raises `HttpsError`, also inside."""
        async with self._busy:
            try:
                yield _Caller(self._send, await self._find(api), api, pin, self._fwmark)
            finally:
                await self._let(Errand())

    async def _find(self, api: Endpoint) -> tuple[IPAddress, ...]:
        resolvers, reachable = self._around()
        await self._let(Errand(names=True))
        try:
            found = await self._resolve(api.host, resolvers, self._fwmark, timeout=RESOLVE_WITHIN)
        except Exception as error:  # noqa: BLE001 - a resolver's own errors, whatever they are
            raise HttpsError(str(error)) from None
        chosen = candidates(found, (), reachable, 0)
        await self._let(Errand(apis=tuple(Endpoint(str(address), api.port) for address in chosen)))
        return chosen

    async def _let(self, errand: Errand) -> None:
        try:
            async with asyncio.timeout(ADMIT_WITHIN):
                await self._admit(errand)
        except TimeoutError:
            _log.warning("the firewall is slow to let an enrolment through")


class _Caller:
    """The first request finds the address that answers; the rest go there: a challenge holds at the gateway that gave it."""

    def __init__(self, send: Send, addresses: tuple[IPAddress, ...], api: Endpoint, pin: bytes, fwmark: int) -> None:
        self._send = send
        self._addresses = addresses
        self._api = api
        self._pin = pin
        self._fwmark = fwmark

    async def __call__(self, path: str, body: bytes) -> Answer:
        failed: list[str] = []
        for address in self._addresses:
            try:
                answer = await self._send(address, self._api.port, self._api.host, self._pin, path, body, self._fwmark)
            except NotReached as error:
                failed.append(str(error))
                continue
            self._addresses = (address,)
            return answer
        raise NotReached("; ".join(failed) or "it has no address")
