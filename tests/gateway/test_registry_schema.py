from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from slopn_helper.gateway.registry import migrations, tables
from slopn_helper.gateway.registry.database import Database
from slopn_helper.gateway.registry.errors import Unavailable, WrongSchema
from slopn_helper.gateway.registry.rows import device_row
from slopn_helper.gateway.types import Gateway
from slopn_wire.profile import Endpoint
from support.registry import NOW, new_token, opened, redeem


def names(connection: sa.Connection) -> set[str]:
    """All tables that there are."""
    return set(sa.inspect(connection).get_table_names())


def differences(connection: sa.Connection) -> list[str]:
    """What the migrations made otherwise than tables.py says; `change` is SQLite's own."""
    found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), tables.metadata)
    return [repr(each) for each in found if "'change'" not in repr(each)]


def test_the_version_that_is_looked_for_is_the_last_migrations() -> None:
    """It is said twice, so that a start without anything to migrate does without Alembic."""
    assert migrations.newest() == tables.VERSION


def test_up_and_down(url: str) -> None:
    """The migrations make what the code believes in, take it away again without a trace, and make it once more."""

    async def body() -> None:
        async with opened(url) as registry:
            database = registry.database
            for _ in range(2):
                async with database.write() as connection:
                    await connection.run_sync(migrations.upgrade)
                    assert await connection.run_sync(differences) == []
                await database.check()
                await redeem(registry, await new_token(registry)) if await registry.pools() else None
                async with database.write() as connection:
                    await connection.run_sync(migrations.downgrade)
                    assert await connection.run_sync(names) - {"sqlite_sequence"} == {"alembic_version"}
                with pytest.raises(WrongSchema, match="missing"):
                    await database.check()

    asyncio.run(body())


def test_each_version_up_and_down(url: str) -> None:
    """Step by step: devices stay where a version is about something else, and what comes back is what code believes in."""

    async def body() -> None:
        async with opened(url) as registry:
            kept = await redeem(registry, await new_token(registry))
            gateway = Gateway(
                "a", Endpoint("a.example.org", 1), b"a" * 32, b"p" * 32, Endpoint("a.example.org", 2), NOW
            )
            await registry.beat(gateway)
            async with registry.database.write() as connection:
                await connection.run_sync(migrations.downgrade, "0001")
                columns = await connection.run_sync(lambda there: sa.inspect(there).get_columns("gateway"))
                assert "api_host" not in {column["name"] for column in columns}
                await connection.run_sync(migrations.upgrade)
                assert await connection.run_sync(differences) == []
            assert [each.device.id for each in await registry.devices()] == [kept.device.id]
            await registry.beat(gateway)
            assert await registry.gateways() == (gateway,)

    asyncio.run(body())


async def fail_after_migrating(database: Database) -> None:
    """A migration whose last step goes wrong."""
    async with database.write() as connection:
        await connection.run_sync(migrations.upgrade)
        raise ZeroDivisionError


def test_a_migration_is_whole_or_nothing(url: str) -> None:
    """If one fails, what it began is rolled back, DDL included."""

    async def body() -> None:
        database = Database(url)
        try:
            if database.is_sqlite:
                await asyncio.to_thread(Path(str(database.url.database)).touch)
            with pytest.raises(ZeroDivisionError):
                await fail_after_migrating(database)
            async with database.read() as connection:
                assert await connection.run_sync(names) == set()
        finally:
            await database.close()

    asyncio.run(body())


def test_a_later_version_is_left_alone(url: str) -> None:
    """An old gateway doesn't touch what a new one made."""

    async def body() -> None:
        async with opened(url) as registry:
            async with registry.database.write() as connection:
                await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
            with pytest.raises(WrongSchema, match="later"):
                await registry.create(())
            with pytest.raises(WrongSchema, match="9999"):
                await registry.database.check()

    asyncio.run(body())


def test_constraints_decide(url: str) -> None:
    """Whatever writes to the tables, none of these can be there: the code may be wrong, the database isn't."""

    async def body() -> None:
        async with opened(url) as registry:
            secret = await new_token(registry, uses=2)
            one, two = [await redeem(registry, secret) for _ in range(2)]
            key, lease, device, token = tables.key, tables.lease, tables.device, tables.token
            address = {"address": one.leases[0].address, "pool": "v4", "device": two.device.id, "family": 4}
            public_key = {"public_key": one.device.public_key, "device": two.device.id, "role": "next"}
            forbidden = (
                sa.insert(lease).values(address),
                sa.insert(lease).values(address | {"address": sa.literal("10.0.0.99", sa.String)}),
                sa.insert(lease).values(address | {"pool": "none"}),
                sa.insert(lease).values(address | {"device": "none"}),
                sa.insert(key).values(public_key),
                sa.insert(key).values(public_key | {"public_key": bytes(32), "role": "current"}),
                sa.insert(key).values(public_key | {"public_key": bytes(32), "role": "third"}),
                sa.insert(device).values(device_row(one.device)),
                sa.insert(device).values(device_row(one.device) | {"id": "x", "kind": "toaster"}),
                sa.update(token).values({"left": -1}),
                sa.update(token).values({"left": 3}),
                sa.delete(tables.pool),
            )
            before = await registry.backup()
            for statement in forbidden:
                with pytest.raises(IntegrityError):
                    async with registry.database.write() as connection:
                        await connection.execute(statement)
            assert await registry.backup() == before

    asyncio.run(body())


def test_how_sqlite_is_opened(sqlite_url: str) -> None:
    """WAL, every commit on the disk before it is answered, references kept; a file that only its owner reads."""

    async def body() -> None:
        async with opened(sqlite_url) as registry:
            await redeem(registry, await new_token(registry))
            for transaction in (registry.database.read, registry.database.write):
                async with transaction() as connection:
                    found = [
                        (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
                        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
                    ]
                assert found == ["wal", 2, 1, 60_000]
            folder = Path(str(registry.database.url.database)).parent
            modes = {each.name: each.stat().st_mode & 0o777 for each in folder.glob("registry.db*")}
            assert len(modes) == 3
            assert set(modes.values()) == {0o600}

    asyncio.run(body())


def test_a_reader_sees_one_state(url: str) -> None:
    """However much is written meanwhile."""

    async def body() -> None:
        async with opened(url) as registry:
            count = sa.select(sa.func.count()).select_from(tables.device)
            async with registry.database.read() as connection:
                assert (await connection.execute(count)).scalar() == 0
                await redeem(registry, await new_token(registry))
                assert (await connection.execute(count)).scalar() == 0
            assert len(await registry.devices()) == 1

    asyncio.run(body())


def test_a_writer_of_another_program(sqlite_url: str) -> None:
    """Who finds the file locked waits, and gives up with a sentence: the API says 503 then."""

    async def body() -> None:
        async with opened(sqlite_url) as registry, opened(sqlite_url, patience=0.2) as impatient:
            secret = await new_token(registry)
            async with registry.database.write():
                with pytest.raises(Unavailable) as caught:
                    await redeem(impatient, secret)
                assert caught.value.retry_after > 0
                assert await impatient.devices() == ()
            await redeem(impatient, secret, key=secrets.token_bytes(32))
            assert (await impatient.tokens())[0].created == NOW

    asyncio.run(body())
