from __future__ import annotations

import asyncio
import secrets
from ipaddress import ip_address, ip_network

import msgspec
import pytest

from slopn_helper.gateway.registry import REST
from slopn_helper.gateway.registry.errors import Ended, KeyTaken, PoolConflict, RegistryError, UnknownDevice
from slopn_helper.gateway.types import Gateway, Pool
from slopn_wire.profile import Endpoint
from support.registry import DAY, NOW, POOLS, new_token, opened, redeem, together


def test_what_an_administrator_does(url: str) -> None:
    """Each change is what the registry tells afterwards, and says itself."""

    async def body() -> None:
        async with opened(url) as registry:
            device = (await redeem(registry, await new_token(registry))).device
            steps = (
                (registry.rename(device.id, "Büro", now=NOW), {"name": "Büro"}),
                (registry.set_disabled(device.id, disabled=True, now=NOW), {"disabled": True}),
                (registry.renew(device.id, now=NOW + 1, expires=NOW + 9), {"renewed": NOW + 1, "expires": NOW + 9}),
                (registry.set_disabled(device.id, disabled=False, now=NOW), {"disabled": False}),
                (registry.set_expiry(device.id, now=NOW, expires=None), {"expires": None}),
                (registry.revoke(device.id, now=NOW + 2.25), {"revoked": NOW + 2.25}),
            )
            for step, changes in steps:
                device = msgspec.structs.replace(device, **changes)
                assert await step == device
                assert (await registry.device(device.id)).device == device
            assert await registry.revoke(device.id, now=NOW + 99) == device
            with pytest.raises(ValueError, match="name"):
                await registry.rename(device.id, " ", now=NOW)

    asyncio.run(body())


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_the_end_is_the_end(url: str, end: str) -> None:
    """A device that was revoked or has expired takes no change any more, and isn't woken by a renewal."""

    async def body() -> None:
        async with opened(url) as registry:
            device = (await redeem(registry, await new_token(registry))).device.id
            if end == "revoked":
                await registry.revoke(device, now=NOW)
            else:
                await registry.set_expiry(device, now=NOW, expires=NOW)
            before = await registry.device(device)
            for change in (
                registry.renew(device, now=NOW, expires=NOW + DAY),
                registry.set_expiry(device, now=NOW, expires=None),
                registry.rename(device, "b", now=NOW),
                registry.set_disabled(device, disabled=False, now=NOW),
                registry.rotate(device, secrets.token_bytes(32), now=NOW),
            ):
                with pytest.raises(Ended):
                    await change
            assert await registry.device(device) == before

    asyncio.run(body())


def test_nobody(url: str) -> None:
    """What there isn't can't be changed."""

    async def body() -> None:
        async with opened(url) as registry:
            for change in (
                registry.renew("x", now=NOW, expires=None),
                registry.rename("x", "b", now=NOW),
                registry.revoke("x", now=NOW),
                registry.rotate("x", secrets.token_bytes(32), now=NOW),
                registry.settle("x", bytes(32)),
            ):
                with pytest.raises(UnknownDevice):
                    await change
            with pytest.raises(UnknownDevice):
                await registry.device("x")
            assert await registry.by_key(bytes(32)) is None

    asyncio.run(body())


def test_a_key_changes_without_a_gap(url: str) -> None:
    """Both keys are known until the next is used; then one, and another device can have neither before."""

    async def body() -> None:
        async with opened(url) as registry:
            secret = await new_token(registry, uses=2)
            device, other = [(await redeem(registry, secret)).device for _ in range(2)]
            unused, following = secrets.token_bytes(32), secrets.token_bytes(32)
            await registry.rotate(device.id, unused, now=NOW)
            announced = await registry.rotate(device.id, following, now=NOW)
            assert announced == await registry.rotate(device.id, following, now=NOW)
            assert (announced.public_key, announced.next_key) == (device.public_key, following)
            assert await registry.by_key(unused) is None
            for key in (device.public_key, following):
                found = await registry.by_key(key)
                assert found is not None
                assert found.device == announced
                with pytest.raises(KeyTaken):
                    await registry.rotate(other.id, key, now=NOW)
            assert await registry.settle(device.id, device.public_key) == announced

            settled, lost = await together([registry.settle(device.id, following) for _ in range(10)])
            assert not lost
            assert {(each.public_key, each.next_key) for each in settled} == {(following, None)}
            assert await registry.by_key(device.public_key) is None
            with pytest.raises(ValueError, match="key"):
                await registry.rotate(device.id, bytes(32), now=NOW)

    asyncio.run(body())


def test_addresses_rest_before_others_get_them(url: str) -> None:
    """A revoked device's addresses stay its own until every gateway has heard, then they are lent again."""

    async def body() -> None:
        async with opened(url) as registry:
            secret = await new_token(registry, uses=9)
            first, second, expiring = [await redeem(registry, secret) for _ in range(3)]
            await registry.revoke(first.device.id, now=NOW)
            await registry.set_expiry(expiring.device.id, now=NOW, expires=NOW + 100)
            assert await registry.sweep(now=NOW + REST - 1, keep=DAY) == 0
            assert {lease.address for lease in (await redeem(registry, secret)).leases}.isdisjoint(
                lease.address for lease in first.leases
            )
            assert await registry.sweep(now=NOW + REST + 1, keep=DAY) == 2
            assert (await registry.device(first.device.id)).leases == ()
            assert (await registry.device(second.device.id)).leases == second.leases
            assert [lease.address for lease in (await redeem(registry, secret)).leases] == [
                lease.address for lease in first.leases
            ]
            assert await registry.sweep(now=NOW + REST + 101, keep=DAY) == 2

            assert await registry.sweep(now=NOW + DAY - 1, keep=DAY) == 0
            assert len(await registry.devices()) == 5
            await registry.sweep(now=NOW + DAY, keep=DAY)
            with pytest.raises(UnknownDevice):
                await registry.device(first.device.id)

    asyncio.run(body())


def test_gateways(url: str) -> None:
    """Each says that it is there; a copy with another's key is told apart."""

    async def body() -> None:
        async with opened(url) as registry:
            a = Gateway(
                "a", Endpoint("a.example.org", 51820), b"a" * 32, b"p" * 32, Endpoint("a.example.org", 8443), NOW
            )
            b = Gateway("b", Endpoint("2001:db8::1", 51821), b"b" * 32, b"p" * 32, Endpoint("2001:db8::1", 9443), NOW)
            for each in (b, a):
                await registry.beat(each)
            assert await registry.gateways() == (a, b)
            later = msgspec.structs.replace(a, last_seen=NOW + 10.5, endpoint=Endpoint("c.example.org", 1))
            await registry.beat(later)
            assert await registry.gateways() == (later, b)
            with pytest.raises(RegistryError, match="key"):
                await registry.beat(msgspec.structs.replace(a, id="copy"))
            assert await registry.forget_gateway("a")
            assert not await registry.forget_gateway("a")
            assert await registry.gateways() == (b,)

    asyncio.run(body())


def test_pools_are_everybodys(url: str) -> None:
    """Another gateway's settings may add a pool, but neither change nor overlap one."""

    async def body() -> None:
        async with opened(url) as registry:
            assert await registry.pools() == POOLS
            for wrong in (Pool("v4", ip_network("10.9.0.0/24")), Pool("v4-2", ip_network("10.0.1.0/24"))):
                with pytest.raises(PoolConflict):
                    await registry.create((wrong,))
            more = Pool("v4-2", ip_network("10.9.0.0/24"), (ip_address("10.9.0.7"),))
            await registry.create((*POOLS, more))
            assert await registry.pools() == (*POOLS, more)
            assert await registry.lent() == {"v4": 0, "v6": 0, "v4-2": 0}

    asyncio.run(body())
