from __future__ import annotations

import asyncio
import secrets
from ipaddress import ip_network

import pytest

from slopn_helper.gateway.registry.errors import KeyTaken, PoolExhausted, TokenRefused
from slopn_helper.gateway.tokens import Refusal, digest
from slopn_helper.gateway.types import DeviceKind, Pool
from support.registry import DAY, NOW, POOLS, new_token, opened, redeem, sound, together


def test_tokens_are_forgotten_after_their_time(url: str) -> None:
    """Revoked, expired or spent; the device that one has made stays, and knows it no more."""

    async def body() -> None:
        async with opened(url) as registry:
            spent, revoked, open_ = [await new_token(registry, lifetime=DAY * days) for days in (1, 3, 3)]
            enrolled = await redeem(registry, spent)
            await registry.set_expiry(enrolled.device.id, now=NOW, expires=None)
            await registry.revoke_token(digest(revoked), now=NOW)
            await registry.sweep(now=NOW + 2 * DAY - 1, keep=DAY)
            assert {token.hash for token in await registry.tokens()} == {digest(spent), digest(open_)}
            await registry.sweep(now=NOW + 2 * DAY, keep=DAY)
            assert [token.hash for token in await registry.tokens()] == [digest(open_)]
            assert (await registry.device(enrolled.device.id)).device.token is None

    asyncio.run(body())


def test_a_token_makes_a_device(url: str) -> None:
    """With an address of each family, the lowest that there are, and the registry tells the same afterwards."""

    async def body() -> None:
        async with opened(url) as registry:
            secret = await new_token(registry)
            enrolled = await redeem(registry, secret)
            assert [str(lease.address) for lease in enrolled.leases] == ["10.0.0.2", "fd00::2"]
            assert enrolled.device.token == digest(secret)
            assert await registry.devices() == (enrolled,)
            assert await registry.device(enrolled.device.id) == enrolled
            assert await registry.by_key(enrolled.device.public_key) == enrolled
            assert [token.left for token in await registry.tokens()] == [0]

    asyncio.run(body())


def test_500_at_once_for_one_use(url: str) -> None:
    """Exactly one wins; the others learn that the token is spent, and leave nothing."""

    async def body() -> None:
        async with opened(url) as registry:
            secret = await new_token(registry)
            won, lost = await together([redeem(registry, secret) for _ in range(500)])
            assert len(won) == 1
            assert {type(each) for each in lost} == {TokenRefused}
            assert {each.why for each in lost if isinstance(each, TokenRefused)} == {Refusal.SPENT}
            assert await registry.devices() == tuple(won)
            assert await registry.lent() == {"v4": 1, "v6": 1}

    asyncio.run(body())


def test_500_at_once_at_three_gateways(url: str) -> None:
    """Three that share a registry never give one address twice, and a token of 450 uses makes 450 devices."""

    async def body() -> None:
        async with opened(url) as a, opened(url) as b, opened(url) as c:
            secret = await new_token(a, uses=450)
            won, lost = await together([redeem((a, b, c)[at % 3], secret) for at in range(500)])
            assert (len(won), len(lost)) == (450, 50), lost
            assert {type(each) for each in lost} == {TokenRefused}
            sound(won)
            assert sorted(await c.devices(), key=lambda e: e.device.id) == sorted(won, key=lambda e: e.device.id)
            assert [token.left for token in await a.tokens()] == [0]

    asyncio.run(body())


def test_an_answer_that_got_lost(url: str) -> None:
    """The same token with the same key is the same device again, at once or later, and costs no second use."""

    async def body() -> None:
        async with opened(url) as registry:
            for uses in (1, 2):
                secret, key = await new_token(registry, uses=uses), secrets.token_bytes(32)
                won, lost = await together([redeem(registry, secret, key=key) for _ in range(20)])
                assert not lost
                assert len({each.device.id for each in won}) == 1
                assert await redeem(registry, secret, "another name", key) == won[0]
                token = next(each for each in await registry.tokens() if each.hash == digest(secret))
                assert token.left == uses - 1
            assert await registry.lent() == {"v4": 2, "v6": 2}

    asyncio.run(body())


def test_not_after_it_was_revoked(url: str) -> None:
    """Whoever was revoked doesn't come back by the token and key of before."""

    async def body() -> None:
        async with opened(url) as registry:
            secret, key = await new_token(registry, uses=2), secrets.token_bytes(32)
            enrolled = await redeem(registry, secret, key=key)
            await registry.revoke(enrolled.device.id, now=NOW)
            with pytest.raises(KeyTaken):
                await redeem(registry, secret, key=key)
            assert [token.left for token in await registry.tokens()] == [1]

    asyncio.run(body())


def test_refusals(url: str) -> None:
    """Each says why, and leaves nothing behind."""

    async def body() -> None:
        async with opened(url) as registry:
            good, old, revoked = [await new_token(registry, uses=3, lifetime=life) for life in (DAY, 1.0, DAY)]
            assert await registry.revoke_token(digest(revoked), now=NOW)
            assert not await registry.revoke_token(digest(revoked), now=NOW)
            assert not await registry.revoke_token(bytes(32), now=NOW)
            for secret, why in ((b"?" * 32, Refusal.UNKNOWN), (revoked, Refusal.REVOKED), (old, Refusal.EXPIRED)):
                with pytest.raises(TokenRefused) as caught:
                    await registry.redeem(secret, "a", secrets.token_bytes(32), now=NOW + 61.0, expires=None)
                assert caught.value.why is why
            for name, key in (("a\nb", secrets.token_bytes(32)), ("a", bytes(32)), ("a", b"short")):
                with pytest.raises(ValueError, match=r"\.$"):
                    await registry.redeem(good, name, key, now=NOW, expires=None)
            taken = (await redeem(registry, good)).device.public_key
            with pytest.raises(KeyTaken):
                await redeem(registry, await new_token(registry), key=taken)
            with pytest.raises(KeyTaken):
                await registry.add("b", taken, DeviceKind.WIREGUARD, now=NOW, expires=None)
            assert len(await registry.devices()) == 1
            assert [token.left for token in await registry.tokens() if token.hash == digest(good)] == [2]

    asyncio.run(body())


@pytest.mark.parametrize("small", ["v4", "v6"])
def test_an_exhausted_pool(url: str, small: str) -> None:
    """Nothing is kept of who finds no address: no device, no use of the token, no address of the other family."""
    pools = (
        Pool("v4", ip_network("10.0.0.0/29" if small == "v4" else "10.0.0.0/20")),
        Pool("v6", ip_network("fd00::/125" if small == "v6" else "fd00::/64")),
    )
    room = {"v4": 5, "v6": 6}[small]

    async def body() -> None:
        async with opened(url, pools) as registry, opened(url, pools) as other:
            secret = await new_token(registry, uses=100)
            won, lost = await together([redeem((registry, other)[at % 2], secret) for at in range(40)])
            assert (len(won), len(lost)) == (room, 40 - room), lost
            assert {type(each) for each in lost} == {PoolExhausted}
            sound(won)
            assert [token.left for token in await registry.tokens()] == [100 - room]
            assert await registry.lent() == {"v4": room, "v6": room}

            # What the other gateway frees is found here without being told.
            await other.revoke(won[0].device.id, now=NOW)
            assert await other.sweep(now=NOW + 601.0, keep=DAY) == 2
            again = await redeem(registry, secret)
            assert {lease.address for lease in again.leases} & {lease.address for lease in won[0].leases}

    asyncio.run(body())


def test_a_second_pool_is_used_when_the_first_is_full(url: str) -> None:
    """A pool may be added while others run: they find it."""

    async def body() -> None:
        first = (Pool("v4", ip_network("10.0.0.0/30")),)
        async with opened(url, first) as registry:
            secret = await new_token(registry, uses=9)
            await redeem(registry, secret)
            with pytest.raises(PoolExhausted):
                await redeem(registry, secret)
            async with opened(url, (*first, Pool("v4-2", ip_network("10.9.0.0/24")))):
                pass
            enrolled = await redeem(registry, secret)
            assert [str(lease.address) for lease in enrolled.leases] == ["10.9.0.2"]

    asyncio.run(body())


def test_an_address_that_was_not_kept_is_the_next(url: str) -> None:
    """Who finds no IPv6 address lets go of the IPv4 one it had got: the next device has it."""

    async def body() -> None:
        async with opened(url, (POOLS[0], Pool("v6", ip_network("fd00::/126")))) as registry:
            secret = await new_token(registry, uses=9)
            for _ in range(2):
                await redeem(registry, secret)
            for _ in range(3):
                with pytest.raises(PoolExhausted):
                    await redeem(registry, secret)
            async with opened(url, (Pool("v6-2", ip_network("fd01::/64")),)):  # by another gateway
                pass
            enrolled = await redeem(registry, secret)
            assert [str(lease.address) for lease in enrolled.leases] == ["10.0.0.4", "fd01::2"]

    asyncio.run(body())


def test_cut_off_at_any_moment(url: str) -> None:
    """A request that is cancelled midway, as by a client that hangs up, leaves all or nothing, and the next one works."""

    async def body() -> None:
        async with opened(url) as registry:
            secret = await new_token(registry, uses=100)
            await redeem(registry, secret)
            for turns in range(40):
                task = asyncio.get_running_loop().create_task(redeem(registry, secret))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
            await redeem(registry, secret)
            devices = await registry.devices()
            sound(devices)
            assert [token.left for token in await registry.tokens()] == [100 - len(devices)]
            assert await registry.lent() == {"v4": len(devices), "v6": len(devices)}

    asyncio.run(body())


def test_without_a_token(url: str) -> None:
    """An administrator adds a plain WireGuard device; without IPv6 pools it has no IPv6."""

    async def body() -> None:
        async with opened(url, POOLS[:1]) as registry:
            key = secrets.token_bytes(32)
            enrolled = await registry.add("phone", key, DeviceKind.WIREGUARD, now=NOW, expires=None)
            assert enrolled.device.kind is DeviceKind.WIREGUARD
            assert [lease.pool for lease in enrolled.leases] == ["v4"]
            assert await registry.devices() == (enrolled,)

    asyncio.run(body())
