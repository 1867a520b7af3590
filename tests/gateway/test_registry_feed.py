from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import cast

import sqlalchemy as sa

from slopn_helper.gateway.registry import Registry, tables
from slopn_helper.gateway.registry.feed import Update
from slopn_helper.gateway.types import Enrolled
from support.postgres import postgres
from support.registry import DAY, NOW, new_token, opened, redeem
from support.until import until_async


class Reader:
    """Folds what the feed tells, as a gateway does."""

    def __init__(self) -> None:
        self.devices: dict[str, Enrolled] = {}
        self.updates: list[Update] = []

    async def run(self, registry: Registry, every: float) -> None:
        """Read until cancelled."""
        async with aclosing(registry.changes(every=every)) as changes:  # type: ignore[type-var]
            async for update in changes:
                if update.whole:
                    self.devices.clear()
                self.devices |= {each.device.id: each for each in update.devices}
                for gone in update.gone:
                    self.devices.pop(gone, None)
                self.updates.append(update)


@asynccontextmanager
async def reading(registry: Registry, every: float = 3600.0) -> AsyncIterator[Reader]:
    """A reader that has had its first, whole update."""
    reader = Reader()
    task = asyncio.get_running_loop().create_task(reader.run(registry, every))
    try:
        await until_async(lambda: reader.updates or task.done(), 60.0, "the first update")
        assert not task.done()
        yield reader
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def agree(reader: Reader, registry: Registry, what: str) -> None:
    """Wait until the reader knows what the registry has."""

    async def same() -> bool:
        return reader.devices == {each.device.id: each for each in await registry.devices()}

    await until_async(same, 60.0, what)


def test_every_change_is_heard_at_another_gateway(url: str) -> None:
    """Each kind of change reaches a reader that shares nothing but the database, without a whole reading."""

    async def body() -> None:
        async with opened(url) as a, opened(url) as b:
            secret = await new_token(a, uses=9)
            old = (await redeem(a, secret)).device.id
            async with reading(b) as reader:
                assert set(reader.devices) == {old}
                device = (await redeem(a, secret)).device.id
                await agree(reader, a, "the new device")
                await a.rename(device, "renamed", now=NOW)
                await agree(reader, a, "the new name")
                await a.set_disabled(device, disabled=True, now=NOW)
                await agree(reader, a, "that it is disabled")
                await a.rotate(device, b"n" * 32, now=NOW)
                await agree(reader, a, "the next key")
                await a.settle(device, b"n" * 32)
                await agree(reader, a, "the key that follows")
                await a.revoke(old, now=NOW)
                await agree(reader, a, "that one is revoked")
                await a.sweep(now=NOW + 700, keep=DAY)
                await agree(reader, a, "that its addresses are free")
                await a.sweep(now=NOW + DAY, keep=DAY)
                await until_async(lambda: set(reader.devices) != {old, device}, 60.0, "that it is forgotten")
                assert [update.whole for update in reader.updates].count(True) == 1

    asyncio.run(body())


def test_also_by_a_strangers_hand(url: str) -> None:
    """A change in the database itself is heard too: triggers tell it, not our code."""

    async def body() -> None:
        async with opened(url) as registry:
            device = (await redeem(registry, await new_token(registry))).device.id
            async with reading(registry) as reader:
                async with registry.database.write() as connection:
                    await connection.execute(sa.update(tables.device).values(name="by hand"))
                await until_async(lambda: reader.devices[device].device.name == "by hand", 60.0, "the change by hand")

    asyncio.run(body())


def test_a_missed_notice_heals(url: str) -> None:
    """What no trigger told is there with the next whole reading."""

    async def body() -> None:
        async with opened(url) as registry:
            device = (await redeem(registry, await new_token(registry))).device.id
            async with registry.database.write() as connection:
                if registry.database.is_sqlite:
                    await connection.execute(sa.text("DROP TRIGGER device_update_told"))
                else:
                    await connection.execute(sa.text("DROP TRIGGER slopn_tell ON device"))
            async with reading(registry, every=0.3) as reader:
                await registry.rename(device, "unheard", now=NOW)
                await until_async(lambda: reader.devices[device].device.name == "unheard", 60.0, "a whole reading")

    asyncio.run(body())


def test_many_changes_none_lost(url: str) -> None:
    """Many at once, and, on SQLite, lines that were cut off before they were read: the reader ends with the truth."""

    async def body() -> None:
        async with opened(url) as registry:
            secret = await new_token(registry, uses=200)
            async with reading(registry) as reader:
                await asyncio.gather(*(redeem(registry, secret) for _ in range(200)))
                await agree(reader, registry, "all 200")
                if registry.database.is_sqlite:
                    latest = sa.select(sa.func.max(tables.change.c.seq)).scalar_subquery()
                    async with registry.database.write() as connection:
                        await connection.execute(sa.update(tables.device).values(name="all"))
                        await connection.execute(sa.delete(tables.change).where(tables.change.c.seq < latest))
                    await until_async(
                        lambda: {each.device.name for each in reader.devices.values()} == {"all"}, 60.0, "the gap heals"
                    )

    asyncio.run(body())


def test_postgresql_killed_and_back() -> None:
    """SIGKILL to all of the server: a reader raises nothing, and knows the truth soon after it is back."""

    async def body() -> None:
        with postgres() as server:
            url = server.create("slopn")
            async with opened(url, patience=5.0) as registry:
                secret = await new_token(registry, uses=9)
                await redeem(registry, secret)
                async with reading(registry) as reader:
                    before = len(reader.updates)
                    server.kill()
                    await asyncio.to_thread(server.start)
                    await until_async(lambda: len(reader.updates) > before, 60.0, "a whole reading after the restart")
                    assert reader.updates[before].whole
                    device = await redeem(registry, secret)
                    await until_async(lambda: device.device.id in reader.devices, 60.0, "the new device")

    asyncio.run(body())


def test_a_file_that_is_gone_and_back(sqlite_url: str) -> None:
    """Likewise for SQLite, whose file an administrator moved away."""

    async def body() -> None:
        async with opened(sqlite_url) as registry:
            secret = await new_token(registry, uses=9)
            path = Path(cast("str", registry.database.url.database))
            async with reading(registry) as reader:
                away = path.with_name("away")
                await asyncio.to_thread(path.rename, away)
                started = time.monotonic()
                await until_async(lambda: time.monotonic() - started > 0.5, 5.0, "a few looks in vain")
                await asyncio.to_thread(away.rename, path)
                device = await redeem(registry, secret)
                await until_async(lambda: device.device.id in reader.devices, 60.0, "the new device")

    asyncio.run(body())
