from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.registry.errors import Unavailable
from support.postgres import postgres
from support.registry import new_token, opened, redeem, sound, together
from support.until import until_async


def path_of(registry: Registry) -> Path:
    """SQLite's file."""
    return Path(cast("str", registry.database.url.database))


async def some(registry: Registry) -> bool:
    """Whether a few are enrolled."""
    return len(await registry.devices()) >= 5


def test_a_file_moved_away_and_back(sqlite_url: str) -> None:
    """Nothing new and empty is begun in its place; when it is back, all goes on."""

    async def body() -> None:
        async with opened(sqlite_url) as registry:
            secret = await new_token(registry, uses=9)
            first = await redeem(registry, secret)
            path = path_of(registry)
            path.rename(path.with_name("away"))
            for attempt in (registry.devices(), redeem(registry, secret)):
                with pytest.raises(Unavailable) as caught:
                    await attempt
                assert caught.value.retry_after > 0
            assert not path.exists()
            path.with_name("away").rename(path)
            assert await registry.devices() == (first,)
            await redeem(registry, secret)
            sound(await registry.devices())

    asyncio.run(body())


def test_a_file_that_was_replaced(sqlite_url: str, tmp_path: Path) -> None:
    """An administrator put another file in its place: from then on that one counts, and nothing goes into the void."""

    async def body() -> None:
        async with opened(sqlite_url) as registry, opened(f"sqlite:///{tmp_path}/other.db") as other:
            secret = await new_token(other)
            await redeem(registry, await new_token(registry))
            await other.close()
            path = path_of(registry)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            (tmp_path / "other.db").replace(path)
            enrolled = await redeem(registry, secret)
            assert await registry.devices() == (enrolled,)

    asyncio.run(body())


def test_a_broken_file(sqlite_url: str) -> None:
    """What is no database is an error of the same kind, and stays as it is for whoever can mend it."""

    async def body() -> None:
        async with opened(sqlite_url) as registry:
            await registry.close()
            path = path_of(registry)
            path.write_bytes(b"no database at all" * 1000)
            with pytest.raises(Unavailable):
                await registry.devices()
            with pytest.raises(Unavailable):
                await registry.create(())
            assert path.read_bytes() == b"no database at all" * 1000

    asyncio.run(body())


def test_postgresql_killed_among_enrolments() -> None:
    """SIGKILL in the midst: each enrolment is answered, or `Unavailable`; tried again all succeed, none twice."""

    async def body() -> None:
        with postgres() as server:
            async with opened(server.create("slopn"), patience=5.0) as registry:
                secret = await new_token(registry, uses=60)
                keys = [bytes([at + 1]) * 32 for at in range(60)]
                work = [redeem(registry, secret, key=key) for key in keys]
                running = asyncio.get_running_loop().create_task(together(work))
                await until_async(lambda: some(registry), 60.0, "some are enrolled")
                server.kill()
                won, lost = await running
                assert {type(each) for each in lost} <= {Unavailable}, lost
                with pytest.raises(Unavailable):
                    await registry.devices()
                await asyncio.to_thread(server.start)
                again = [await redeem(registry, secret, key=key) for key in keys]
                assert {each.device.id for each in won} <= {each.device.id for each in again}
                sound(await registry.devices())
                assert len(await registry.devices()) == 60
                assert [token.left for token in await registry.tokens()] == [0]

    asyncio.run(body())
