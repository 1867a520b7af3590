"""A registry for tests: two small pools, chance and time at hand."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any, TypeVar

from slopn_helper.gateway import tokens
from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.types import Enrolled, Pool

T = TypeVar("T")
NOW = 1_800_000_000.0
DAY = 86_400.0
POOLS = (Pool("v4", ip_network("10.0.0.0/20")), Pool("v6", ip_network("fd00::/64")))
PATIENCE = 60.0
"""The machine may be busy: no operation is to give up before a person would."""


@asynccontextmanager
async def opened(url: str, pools: Sequence[Pool] = POOLS, patience: float = PATIENCE) -> AsyncIterator[Registry]:
    """A registry that is made if there is none, and closed at the end."""
    registry = Registry(url, secrets.token_bytes, patience=patience)
    try:
        await registry.create(pools)
        yield registry
    finally:
        await registry.close()


async def new_token(registry: Registry, uses: int = 1, lifetime: float = DAY) -> bytes:
    """The secret of a token that the registry knows."""
    secret, token = tokens.make(secrets.token_bytes, "test", uses=uses, now=NOW, lifetime=lifetime)
    await registry.add_token(token)
    return secret


async def redeem(registry: Registry, secret: bytes, name: str = "laptop", key: bytes | None = None) -> Enrolled:
    """Enrol a device with a fresh key, or this one."""
    return await registry.redeem(secret, name, key or secrets.token_bytes(32), now=NOW, expires=NOW + DAY)


async def together(work: Sequence[Coroutine[Any, Any, T]]) -> tuple[list[T], list[BaseException]]:
    """All at once: what came of those that went well, and the errors of the others."""
    done = await asyncio.gather(*work, return_exceptions=True)
    errors = [each for each in done if isinstance(each, BaseException)]
    return [each for each in done if not isinstance(each, BaseException)], errors


def sound(devices: Sequence[Enrolled]) -> None:
    """No address twice, no key twice, and each device whole: one address of each family."""
    addresses = [lease.address for each in devices for lease in each.leases]
    assert len(set(addresses)) == len(addresses)
    keys = [each.device.public_key for each in devices]
    assert len(set(keys)) == len(keys)
    for each in devices:
        assert [lease.address.version for lease in each.leases] == [4, 6]
