from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path

from slopn_helper.gateway import tokens
from support.enrolment import DeviceKey, challenge, connected, serving
from support.postgres import postgres
from support.registry import DAY, NOW, new_token, opened, sound
from support.until import until_async


def test_sqlite_gone_and_back(sqlite_url: str, tmp_path: Path) -> None:
    """503 with the time to wait; the same request succeeds as soon as the file is back, and nothing was lost."""

    async def body() -> None:
        async with opened(sqlite_url) as registry, serving(registry, tmp_path) as world, connected(world) as line:
            token = await new_token(registry, uses=2)
            key = DeviceKey()
            first = await key.enrol(line, token)
            path = str(registry.database.url.database)
            os.rename(path, f"{path}.away")  # noqa: PTH104 - as short as it is, it blocks nobody
            for reply in (await key.enrol(line, token), await key.renew(line), await key.rotate(line, DeviceKey())):
                assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "unavailable", "5")
                assert "connection" not in reply.headers
            assert (await challenge(line))["seconds"] > 0
            os.rename(f"{path}.away", path)  # noqa: PTH104
            assert (await key.enrol(line, token)).body == first.body
            assert (await DeviceKey().enrol(line, token)).status == 200
            assert world.heard.refusals == []

    asyncio.run(body())


def test_postgresql_killed_among_enrolments(tmp_path: Path) -> None:
    """Each device gets its place or 503 meanwhile; all that try again have one afterwards, and none has two."""

    async def body() -> None:
        with postgres() as server:
            async with opened(server.create("slopn"), patience=5.0) as registry, serving(registry, tmp_path) as world:
                secret, token = tokens.make(secrets.token_bytes, "many", uses=30, now=NOW, lifetime=DAY)
                await registry.add_token(token)
                statuses: set[int] = set()

                async def device() -> None:
                    key = DeviceKey()
                    async with connected(world) as line:
                        while (reply := await key.enrol(line, secret)).status != 200:
                            statuses.add(reply.status)
                            await asyncio.sleep(0.05)

                working = asyncio.gather(*(device() for _ in range(30)))
                await until_async(lambda: world.heard.new >= 3, 60.0, "some are enrolled")
                server.kill()
                async with connected(world) as line:
                    assert (await DeviceKey().renew(line)).status == 503
                await asyncio.to_thread(server.start)
                await working
                assert statuses <= {503}
                sound(await registry.devices())
                assert len(await registry.devices()) == 30
                assert [token.left for token in await registry.tokens()] == [0]
                assert world.heard.refusals == []

    asyncio.run(body())
