"""Enrolment over HTTPS: where devices get their place, prolong it and change their key (docs/gateway-api.md).

From the outside in: `door` (sockets, TLS, who may hold a connection), `http` (time-outs), `gate` (how much at once),
`routes` (what is asked) and `enrolling` (what is done).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from slopn_helper.gateway.api.admission import Hands, Limits, Share, Shares
from slopn_helper.gateway.api.door import Door, ListenError, listen
from slopn_helper.gateway.api.enrolling import Describe, Enrolling
from slopn_helper.gateway.api.gate import Gate
from slopn_helper.gateway.api.http import Patience, config
from slopn_helper.gateway.api.problems import Refused
from slopn_helper.gateway.api.reload import Freshness
from slopn_helper.gateway.api.routes import application
from slopn_helper.gateway.api.seats import Seats
from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.bans.lines import Refusal
from slopn_helper.gateway.certificate import Identity, context
from slopn_helper.gateway.challenge import Challenges
from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.status import Meter
from slopn_wire.profile import IPAddress

__all__ = ["Api", "Limits", "ListenError", "Patience", "Share"]


class Api:
    """The enrolment API of one gateway.

    `listen`: addresses, none: all; `port`: TCP, 0: one that is free. `describe` says what a device must know to connect.
    `refused` hears of whom to count among the failures, and returns at once; the meter's `refused` is called here.
    `clock`: Unix time; `chance(n)`: n random bytes; `lifetime`: seconds that an enrolment lasts.
    """

    def __init__(
        self,
        registry: Registry,
        identity: Identity,
        *,
        listen: Sequence[IPAddress],
        port: int,
        describe: Describe,
        refused: Callable[[Refusal], None],
        meter: Meter,
        clock: Callable[[], float],
        chance: Callable[[int], bytes],
        lifetime: float,
        limits: Limits | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._registry = registry
        self._identity = identity
        self._listen = tuple(listen)
        self._port = port
        self._describe = describe
        self._refused = refused
        self._meter = meter
        self._clock = clock
        self._chance = chance
        self._lifetime = lifetime
        self._limits = limits or Limits()
        self._patience = patience or Patience()
        self.listening = asyncio.Event()
        """Set while connections are taken."""
        self.addresses: tuple[tuple[str, int], ...] = ()
        """Where, then: address and port."""

    async def run(self) -> None:
        """Serve until cancelled. Raises `ListenError`, `certificate.CertificateError` before anything else."""
        tls = context(self._identity)
        ticks = asyncio.get_running_loop().time
        enrolling = Enrolling(
            self._registry,
            Challenges(self._chance),
            self._describe,
            self._meter,
            clock=self._clock,
            ticks=ticks,
            lifetime=self._lifetime,
        )

        limits = self._limits
        routes = application(enrolling, self._blame)
        gate = Gate(routes, Shares(limits.requests), Hands(limits.in_hand), self._meter, self._blame, ticks)
        seats, visits = Seats(limits.connections, limits.connections_each), Shares(limits.visits)
        door = Door(tls, config(gate, self._patience), seats, visits, self._patience, self._stranger, self._blame)
        listeners = listen(self._listen, self._port)
        try:
            self.addresses = tuple(listener.getsockname()[:2] for listener in listeners)
            async with asyncio.TaskGroup() as group:
                group.create_task(Freshness(self._identity, door).run())
                group.create_task(door.run(listeners))
                self.listening.set()
        finally:
            self.listening.clear()
            for listener in listeners:
                listener.close()

    def _blame(self, client: tuple[str, int], refused: Refused) -> None:
        if refused.why is not None:
            self._tell(Refusal(ip_address(client[0]), refused.why, client[1], refused.said))

    def _stranger(self, address: IPAddress, port: int, said: str) -> None:
        self._tell(Refusal(address, Why.NOT_TLS, port, said))

    def _tell(self, refusal: Refusal) -> None:
        self._meter.refused(refusal.why)
        self._refused(refusal)
