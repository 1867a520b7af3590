from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.types import DeviceKind, Pool
from slopn_wire.enrolment_api import CHALLENGE, ENROL, RENEW
from support.enrolment import DeviceKey, Line, World, challenge, connected, serving, text
from support.registry import DAY, NOW, POOLS, new_token, opened, sound

Body = Callable[[World, Line], Awaitable[None]]


@asynccontextmanager
async def at(url: str, folder: Path, pools: tuple[Pool, ...] = POOLS) -> AsyncIterator[tuple[World, Line]]:
    """A running API, and one connection to it."""
    async with opened(url, pools) as registry, serving(registry, folder) as world, connected(world) as line:
        yield world, line


def run(url: str, folder: Path, body: Body, pools: tuple[Pool, ...] = POOLS) -> None:
    """`body` with a running API."""

    async def whole() -> None:
        async with at(url, folder, pools) as (world, line):
            await body(world, line)

    asyncio.run(whole())


def test_from_a_token_to_a_place_and_on(url: str, tmp_path: Path) -> None:
    """Enrolled, asked again, renewed, with another key: one device with one place."""

    async def body(world: World, line: Line) -> None:
        token = await new_token(world.registry)
        key, following = DeviceKey(), DeviceKey()
        first = await key.enrol(line, token)
        assert (first.status, first.body["name"]) == (200, "laptop")
        assert first.body["expires"] == NOW + 90 * DAY
        assert first.body["addresses"] == ["10.0.0.2/32", "fd00::2/128"]
        world.now += 60
        again = await key.enrol(line, token)
        assert again.body == first.body
        assert world.heard.new == 1
        world.now += 30 * DAY
        renewed = await key.renew(line)
        assert renewed.body == first.body | {"expires": world.now + 90 * DAY}
        rotated = await key.rotate(line, following)
        assert rotated.body == renewed.body
        for each in (key, following):
            assert (await each.renew(line)).body == renewed.body
        (device,) = await world.registry.devices()
        assert (device.device.public_key, device.device.next_key) == (key.public, following.public)
        assert world.heard.refusals == []

    run(url, tmp_path, body)


def test_many_want_the_same_single_use(url: str, tmp_path: Path) -> None:
    """Exactly one of twenty wins; the others are told, and count as failures."""

    async def body(world: World, line: Line) -> None:
        del line
        token = await new_token(world.registry)

        async def one() -> tuple[int, str]:
            async with connected(world) as mine:
                reply = await DeviceKey().enrol(mine, token)
                return reply.status, reply.code

        found = await asyncio.gather(*(one() for _ in range(20)))
        assert sorted(found) == [(200, "")] + [(403, "bad_token")] * 19
        sound(await world.registry.devices())
        assert await world.registry.lent() == {"v4": 1, "v6": 1}
        assert world.heard.whys == {Why.BAD_TOKEN: 19}
        assert world.heard.new == 1

    run(url, tmp_path, body)


def test_a_replay_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """The same bytes once more do nothing, even with a token that has uses left."""

    async def body(world: World, line: Line) -> None:
        token = await new_token(world.registry, uses=5)
        request = DeviceKey().enrolment(await challenge(line), token)
        assert (await line.ask(ENROL, request)).status == 200
        replayed = await line.ask(ENROL, request)
        assert (replayed.status, replayed.code, replayed.body["field"]) == (403, "bad_proof", "challenge")
        assert [token.left for token in await world.registry.tokens()] == [4]
        assert [each.why for each in world.heard.refusals] == [Why.ENROLMENT]

    run(sqlite_url, tmp_path, body)


@pytest.mark.parametrize("member", ["token", "name", "public_key", "challenge", "proof"])
def test_a_proof_is_of_all_of_it(sqlite_url: str, tmp_path: Path, member: str) -> None:
    """Whoever changes a member of another's request has proven nothing; no use of the token is gone."""

    async def body(world: World, line: Line) -> None:
        token = await new_token(world.registry)
        changed = {
            "token": text(b"\1" * 32),
            "name": "other",
            "public_key": text(DeviceKey().public),
            "challenge": (await challenge(line))["challenge"],
            "proof": text(bytes(32)),
        }
        reply = await DeviceKey().enrol(line, token, changed={member: changed[member]})
        assert (reply.status, reply.code) == (403, "bad_proof")
        assert await world.registry.devices() == ()
        assert [token.left for token in await world.registry.tokens()] == [1]
        assert [each.why for each in world.heard.refusals] == [Why.ENROLMENT]

    run(sqlite_url, tmp_path, body)


def test_tokens_that_are_not_taken(sqlite_url: str, tmp_path: Path) -> None:
    """Unknown, expired, revoked: each in a sentence, to the port and name that asked."""

    async def body(world: World, line: Line) -> None:
        revoked, expired = await new_token(world.registry), await new_token(world.registry, lifetime=60)
        await world.registry.revoke_token((await world.registry.tokens())[0].hash, now=NOW)
        world.now += 121
        for token, word in ((bytes(32), "no such"), (expired, "expired"), (revoked, "revoked")):
            reply = await DeviceKey().enrol(line, token, "phone of bob")
            assert (reply.status, reply.code) == (403, "bad_token")
            assert word in reply.body["message"]
        assert {(each.why, each.said, str(each.address)) for each in world.heard.refusals} == {
            (Why.BAD_TOKEN, "phone of bob", "127.0.0.1")
        }
        assert {each.port for each in world.heard.refusals} == {line.writer.get_extra_info("sockname")[1]}

    run(sqlite_url, tmp_path, body)


def test_the_gateways_clock_is_set(sqlite_url: str, tmp_path: Path) -> None:
    """Between challenge and answer, by a year, in both directions: the challenge is still good, a token is not."""

    async def body(world: World, line: Line) -> None:
        token = await new_token(world.registry, uses=9)
        for leap, status in ((-365 * DAY, 200), (365 * DAY, 403)):
            given = await challenge(line)
            world.now = NOW + leap
            reply = await line.ask(ENROL, DeviceKey().enrolment(given, token))
            assert (reply.status, reply.code) == (status, "" if status == 200 else "bad_token")

    run(sqlite_url, tmp_path, body)


def test_the_pool_is_exhausted(url: str, tmp_path: Path) -> None:
    """A sentence for those who come too late, no use of the token and no address lost; one that is freed is lent again."""

    async def body(world: World, line: Line) -> None:
        token = await new_token(world.registry, uses=9)

        async def one() -> int:
            async with connected(world) as mine:
                reply = await DeviceKey().enrol(mine, token)
                assert reply.status == 200 or reply.code == "pool_exhausted"
                return reply.status

        assert sorted(await asyncio.gather(*(one() for _ in range(6)))) == [200] * 2 + [409] * 4
        assert [token.left for token in await world.registry.tokens()] == [7]
        first = (await world.registry.devices())[0]
        await world.registry.revoke(first.device.id, now=NOW)
        await world.registry.sweep(now=NOW + 601, keep=DAY)
        world.now = NOW + 602
        assert (await DeviceKey().enrol(line, token)).status == 200
        assert world.heard.refusals == []

    run(url, tmp_path, body, (Pool("v4", ip_network("10.0.0.0/24")), Pool("v6", ip_network("fd00::/126"))))


def test_who_may_renew(sqlite_url: str, tmp_path: Path) -> None:
    """No stranger, none that was revoked, no device that an administrator made; what never ends isn't given an end."""

    async def body(world: World, line: Line) -> None:
        registry = world.registry
        assert [(await DeviceKey().renew(line)).code, world.heard.refusals] == ["unknown_device", []]
        plain, lasting, gone = DeviceKey(), DeviceKey(), DeviceKey()
        await registry.add("router", plain.public, DeviceKind.WIREGUARD, now=NOW, expires=NOW + DAY)
        await registry.add("server", lasting.public, DeviceKind.SLOPN, now=NOW, expires=None)
        await gone.enrol(line, await new_token(registry))
        assert (await plain.renew(line)).code == "unknown_device"
        assert (await lasting.renew(line)).body["expires"] is None
        device = await registry.by_key(gone.public)
        assert device is not None
        await registry.set_expiry(device.device.id, now=NOW, expires=NOW + 1000 * DAY)
        assert (await gone.renew(line)).body["expires"] == NOW + 1000 * DAY
        await registry.revoke(device.device.id, now=NOW)
        ended = await gone.renew(line)
        assert (ended.status, ended.code) == (410, "ended")

    run(sqlite_url, tmp_path, body)


def test_what_a_rotation_needs(sqlite_url: str, tmp_path: Path) -> None:
    """Both proofs, a new key, and one that is nobody's; else all stays as it was."""

    async def body(world: World, line: Line) -> None:
        token = await new_token(world.registry, uses=2)
        mine, other = DeviceKey(), DeviceKey()
        for each in (mine, other):
            await each.enrol(line, token)
        before = await world.registry.devices()
        unproven = await mine.rotate(line, DeviceKey(), prover=DeviceKey())
        assert (unproven.code, unproven.body["field"]) == ("bad_proof", "next_proof")
        assert (await mine.rotate(line, mine)).body["field"] == "next_key"
        assert (await mine.rotate(line, other)).code == "key_taken"
        assert (await DeviceKey().rotate(line, DeviceKey())).code == "unknown_device"
        assert await world.registry.devices() == before

    run(sqlite_url, tmp_path, body)


def test_bad_requests(sqlite_url: str, tmp_path: Path) -> None:
    """Each has its status and its sentence, and the connection goes on."""

    async def body(world: World, line: Line) -> None:
        token = await new_token(world.registry)
        asked: list[tuple[str, object, str, int, str]] = [
            (ENROL, b"{", "POST", 400, "bad_request"),
            (ENROL, {"token": "x"}, "POST", 400, "bad_request"),
            (CHALLENGE, {"more": 1}, "POST", 400, "bad_request"),
            (RENEW, b"", "GET", 405, "method"),
            (RENEW, b"", "OPTIONS", 405, "method"),
            ("/v1/openapi.json", b"", "POST", 405, "method"),
            ("/", b"", "GET", 404, "not_found"),
            ("/v1/enrol/", {}, "POST", 404, "not_found"),
            ("/v1/%65nrol?x=y", b"{", "POST", 400, "bad_request"),
        ]
        for path, message, method, status, code in asked:
            reply = await line.ask(path, message, method)
            assert (reply.status, reply.code, reply.body["message"][-1]) == (status, code, "."), path
            assert (reply.headers.get("allow") is not None) == (status == 405)
        named = await DeviceKey().enrol(line, token, "tab\tin it")
        assert (named.status, named.body["field"]) == (400, "name")
        small = await DeviceKey().enrol(line, token, changed={"public_key": text(bytes(32))})
        assert (small.status, small.body["field"]) == (403, "proof")  # nobody has a private key for it
        assert (await line.ask("/v1/openapi.json", b"", "GET")).body["openapi"].startswith("3.1")
        assert world.heard.whys == {Why.ENROLMENT: 6}
        assert ("other", 404) in world.heard.requests
        large = await line.ask(ENROL, b"x" * 4097)
        assert (large.status, large.code, large.headers["connection"]) == (413, "too_large", "close")

    run(sqlite_url, tmp_path, body)


def test_a_mistake_of_ours(sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who asked gets an answer, the log the rest, and neither the token."""

    async def body(world: World, line: Line) -> None:
        token = await new_token(world.registry)

        async def broken(*_: object, **__: object) -> None:
            raise RuntimeError("a mistake")

        world.registry.redeem = broken  # type: ignore[method-assign, assignment]
        reply = await DeviceKey().enrol(line, token)
        assert (reply.status, reply.code) == (500, "unavailable")
        assert "a mistake" not in reply.body["message"]
        assert "a mistake" in caplog.text
        assert text(token) not in caplog.text
        assert token.hex() not in caplog.text

    run(sqlite_url, tmp_path, body)


def test_the_challenge_is_of_this_process(sqlite_url: str, tmp_path: Path) -> None:
    """Two gateways on one registry: what one gave is nothing to the other, and a device just asks again."""

    async def body(world: World, line: Line) -> None:
        token = await new_token(world.registry)
        async with serving(world.registry, tmp_path) as other, connected(other) as there:
            key = DeviceKey()
            foreign = await challenge(line)
            assert len(b64decode(foreign["public_key"])) == 32
            refused = await there.ask(ENROL, key.enrolment(foreign, token))
            assert (refused.code, refused.body["field"]) == ("bad_proof", "challenge")
            assert (await key.enrol(there, token)).status == 200

    run(sqlite_url, tmp_path, body)
