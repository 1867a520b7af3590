from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.registry.errors import BadBackup
from slopn_helper.gateway.types import Gateway
from slopn_wire.profile import Endpoint
from support.registry import NOW, new_token, opened, redeem, sound


async def fill(registry: Registry) -> None:
    """One of everything."""
    secret = await new_token(registry, uses=9)
    devices = [(await redeem(registry, secret, f"d{at}")).device.id for at in range(4)]
    await registry.revoke(devices[0], now=NOW + 0.123456)
    await registry.set_disabled(devices[1], disabled=True, now=NOW)
    await registry.rotate(devices[2], secrets.token_bytes(32), now=NOW)
    await registry.renew(devices[3], now=NOW, expires=None)
    await registry.beat(
        Gateway("a", Endpoint("a.example.org", 51820), b"a" * 32, b"p" * 32, Endpoint("a.example.org", 8443), NOW)
    )


@pytest.mark.parametrize("way", [("sqlite", "postgres"), ("postgres", "sqlite")], ids="-".join)
def test_from_either_kind_into_either(way: tuple[str, str], request: pytest.FixtureRequest) -> None:
    """A backup is the whole registry: restored elsewhere it is the same, and lends no address twice."""
    source, target = (str(request.getfixturevalue(f"{kind}_url")) for kind in way)

    async def body() -> None:
        async with opened(source) as a, opened(target, pools=()) as b:
            await fill(a)
            await fill_nothing_else(b)
            backup = await a.backup()
            await b.restore(backup)
            assert await b.backup() == backup
            assert await b.devices() == await a.devices()
            await redeem(b, await new_token(b))
            sound(await b.devices())

    asyncio.run(body())


async def fill_nothing_else(registry: Registry) -> None:
    """What a restore must remove."""
    await new_token(registry)
    await registry.beat(
        Gateway("z", Endpoint("z.example.org", 1), b"z" * 32, b"p" * 32, Endpoint("z.example.org", 2), NOW)
    )


def test_it_holds_no_secret(sqlite_url: str) -> None:
    """Not even a token's."""

    async def body() -> None:
        async with opened(sqlite_url) as registry:
            secret = await new_token(registry)
            backup = await registry.backup()
            assert secret not in backup
            assert secret.hex().encode() not in backup

    asyncio.run(body())


def _of(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def changed(backup: bytes) -> bytes:
        whole = json.loads(backup)
        change(whole)
        return json.dumps(whole).encode()

    return changed


@pytest.mark.parametrize(
    "damage",
    [
        lambda backup: backup[:-1],
        lambda _: b"",
        lambda _: b"[]",
        _of(lambda whole: whole.update(slopn_registry=2)),
        _of(lambda whole: whole.update(more=1)),
        _of(lambda whole: whole["pools"].append({"name": "x", "network": "10.0.0.0/24"})),
        _of(lambda whole: whole["pools"].clear()),
        _of(lambda whole: whole["tokens"].clear()),
        _of(lambda whole: whole["devices"].append(whole["devices"][0])),
        _of(lambda whole: whole["devices"][0]["device"].update(public_key=whole["devices"][1]["device"]["public_key"])),
        _of(lambda whole: whole["devices"][0]["leases"][0].update(address=whole["devices"][1]["leases"][0]["address"])),
        _of(lambda whole: whole["devices"][0]["leases"][0].update(address="10.0.0.1")),
        _of(lambda whole: whole["devices"][0]["leases"][0].update(address="192.0.2.1")),
        _of(lambda whole: whole["devices"][0]["leases"][0].update(device="other")),
        _of(lambda whole: whole["tokens"][0].update(left=10)),
    ],
)
def test_a_bad_backup_changes_nothing(url: str, damage: Callable[[bytes], bytes]) -> None:
    """Cut off, of another version, or contradicting itself: refused whole."""

    async def body() -> None:
        async with opened(url) as registry:
            await fill(registry)
            before = await registry.backup()
            bad = damage(before)
            assert bad != before
            with pytest.raises(BadBackup):
                await registry.restore(bad)
            assert await registry.backup() == before

    asyncio.run(body())
