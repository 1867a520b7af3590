"""Which gateways there are: this one says so every few seconds, and devices are told of all that do."""

from __future__ import annotations

import asyncio
import logging
from base64 import b32encode
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from ipaddress import ip_interface
from typing import Protocol

from msgspec.structs import replace

from slopn_helper.gateway import pools as pool_rules
from slopn_helper.gateway.config import Config
from slopn_helper.gateway.registry.errors import RegistryError
from slopn_helper.gateway.types import Enrolled, Gateway, Pool
from slopn_wire.enrolment_api import ApiGateway, Configuration
from slopn_wire.profile import Endpoint, IPAddress

BEAT_EVERY = 5.0
"""Seconds from one sign of life to the next."""
SEEN_JUST_NOW = 3 * BEAT_EVERY
"""Seconds within which a gateway that is alive was seen."""
ABSENT_AFTER = 3600.0
"""Seconds after which devices aren't told of a gateway any more. A restart shouldn't cost it its devices: what they are
told, they keep for weeks, and one that doesn't answer costs them seconds."""

_SHARED = (
    "Another gateway has this one's WireGuard key (it says it is {host}): devices would be sent to and fro between them. "
    "Stop one of them, remove wireguard.key and the certificate from its state directory, and run `slopn-gateway init` "
    "there."
)

_log = logging.getLogger(__name__)


class KeyShared(RegistryError):
    """Two gateways that run have the same WireGuard key: one was copied from the other."""


class Registry(Protocol):
    """What is needed of the registry."""

    async def beat(self, gateway: Gateway) -> Gateway | None:
        """See `registry.gateways.Gateways`."""

    async def gateways(self) -> tuple[Gateway, ...]:
        """See `registry.gateways.Gateways`."""
        ...


def gateway_id(public_key: bytes) -> str:
    """A gateway's id: of its key, so that it's the same after each start, and another's with another key."""
    return b32encode(sha256(public_key).digest()[:10]).decode().lower()


def itself(config: Config, public_key: bytes, pin: bytes, now: float) -> Gateway:
    """What this gateway says of itself."""
    host = config.wireguard.endpoint
    return Gateway(
        id=gateway_id(public_key),
        endpoint=Endpoint(host, config.wireguard.port),
        public_key=public_key,
        spki_pin=pin,
        api=Endpoint(host, config.enrolment.port),
        last_seen=now,
    )


def told(own: Gateway, known: Iterable[Gateway], now: float) -> tuple[Gateway, ...]:
    """Whom devices are told of: this gateway first, then all others that were seen lately."""
    others = (each for each in known if each.id != own.id and now - each.last_seen <= ABSENT_AFTER)
    return (own, *sorted(others, key=lambda each: each.id))


def configuration(
    enrolled: Enrolled, gateways: Iterable[Gateway], lent: Sequence[Pool], config: Config
) -> Configuration:
    """All that a device needs to connect."""
    device = enrolled.device
    own = own_addresses(enrolled, lent)
    return Configuration(
        device=device.id,
        name=device.name,
        addresses=tuple(ip_interface(lease.address) for lease in enrolled.leases),
        gateways=tuple(ApiGateway(each.endpoint, each.public_key, each.spki_pin, each.api) for each in gateways),
        dns=config.dns.servers or own,
        search=config.dns.search,
        gateway_addresses=own,
        expires=device.expires,
    )


def own_addresses(enrolled: Enrolled, lent: Sequence[Pool]) -> tuple[IPAddress, ...]:
    """The gateways' addresses that are neighbours of a device's own."""
    networks = {pool.name: pool.network for pool in lent}
    return tuple(
        pool_rules.gateway_address(networks[lease.pool]) for lease in enrolled.leases if lease.pool in networks
    )


class Presence:
    """This gateway among the others. `own`: what it says of itself."""

    def __init__(self, registry: Registry, own: Gateway, clock: Callable[[], float]) -> None:
        self.own = own
        self.trouble: str | None = None
        """Why the registry doesn't hear of this gateway; None: it does."""
        self._registry = registry
        self._clock = clock
        self._known: tuple[Gateway, ...] = ()
        self._wrote: float | None = None

    def told(self) -> tuple[Gateway, ...]:
        """Whom devices are told of now."""
        return told(self.own, self._known, self._clock())

    async def run(self) -> None:
        """Say so and look, until cancelled. Raises `KeyShared` at the start: whoever was there first goes on."""
        await self._alone()
        while True:
            await self.beat()
            await asyncio.sleep(BEAT_EVERY)

    async def beat(self) -> None:
        """Once. Raises nothing of ours."""
        now = round(self._clock(), 6)
        try:
            before = await self._registry.beat(replace(self.own, last_seen=now))
            self._known = await self._registry.gateways()
        except RegistryError as error:
            self._complain(str(error))
            return
        # An older time is a restored backup's.
        shared = before is not None and self._wrote is not None and before.last_seen > self._wrote
        self._wrote = now
        self._complain(_SHARED.format(host=before.endpoint.host) if before is not None and shared else None)

    async def _alone(self) -> None:
        """Whoever has this key and was seen just now is this gateway before its start, unless it is seen once more."""
        before = await self._seen()
        if before is not None and abs(self._clock() - before) < SEEN_JUST_NOW:
            await asyncio.sleep(BEAT_EVERY * 1.5)
            after = await self._seen()
            if after is not None and after != before:
                host = next(each.endpoint.host for each in self._known if each.id == self.own.id)
                raise KeyShared(_SHARED.format(host=host))

    async def _seen(self) -> float | None:
        """When the registry last heard of whoever has our key."""
        try:
            self._known = await self._registry.gateways()
        except RegistryError as error:
            self._complain(str(error))
            return None
        return next((each.last_seen for each in self._known if each.id == self.own.id), None)

    def _complain(self, why: str | None) -> None:
        if why is not None and self.trouble is None:
            _log.warning("%s", why)
        elif why is None and self.trouble is not None:
            _log.info("the registry knows of this gateway again")
        self.trouble = why
