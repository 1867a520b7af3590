"""Who changed, as it happens: by LISTEN on PostgreSQL, by the table `change` on SQLite; and all, now and then.

A missed notice heals with the next whole reading, so nothing depends on a notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing, suppress

import psycopg
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.exc import SQLAlchemyError

from slopn_helper.gateway.registry import tables
from slopn_helper.gateway.registry.database import PATIENCE, Database, postgres_arguments
from slopn_helper.gateway.registry.errors import Unavailable
from slopn_helper.gateway.registry.rows import read_enrolled
from slopn_helper.gateway.types import Enrolled

CHANNEL = "slopn_device"
LOOK = 0.1
"""Seconds between two looks at SQLite for what other programs changed; our own changes ring the bell."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class Update(Struct, frozen=True):
    """What a reader is told."""

    whole: bool
    """These are all devices: whoever isn't among them is gone."""
    devices: tuple[Enrolled, ...]
    gone: tuple[str, ...] = ()
    """Ids of devices that are forgotten."""


class Bell:
    """Wakes all who wait, in one process."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Something was committed."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Until it rings, or `seconds` are over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()


async def follow(database: Database, bell: Bell, every: float) -> AsyncGenerator[Update]:
    """See `Registry.changes`."""
    pause = _FIRST_PAUSE
    while True:
        try:
            source = _sqlite(database, bell, every) if database.is_sqlite else _postgres(database, every)
            async with aclosing(source):
                async for update in source:
                    pause = _FIRST_PAUSE
                    yield update
        except (Unavailable, psycopg.Error, SQLAlchemyError, OSError):
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


async def _sqlite(database: Database, bell: Bell, every: float) -> AsyncGenerator[Update]:
    clock = asyncio.get_running_loop().time
    column = tables.change.c
    while True:
        # The position is read first: what is committed meanwhile is told twice, never left out.
        async with database.read() as connection:
            seen = (await connection.execute(sa.select(sa.func.max(column.seq)))).scalar() or 0
        yield await _all(database)
        due = clock() + every
        while clock() < due:
            await bell.wait(LOOK)
            async with database.read() as connection:
                newer = sa.select(column.seq, column.device).where(column.seq > seen).order_by(column.seq)
                rows = (await connection.execute(newer)).all()
            if not rows:
                continue
            if rows[0].seq != seen + 1:
                break  # lines between are gone already, or the registry was restored
            seen = rows[-1].seq
            yield await _some(database, {row.device for row in rows})


async def _postgres(database: Database, every: float) -> AsyncGenerator[Update]:
    clock = asyncio.get_running_loop().time
    async with await _listening(database) as connection:
        while True:
            # What is announced while all are read waits in the connection, and is told again.
            yield await _all(database)
            due = clock() + every
            while (left := due - clock()) > 0:
                ids = {notice.payload async for notice in connection.notifies(timeout=left, stop_after=1)}
                if ids:
                    yield await _some(database, ids)
            await connection.execute("SELECT 1")  # a server that is gone without a word is noticed here


async def _listening(database: Database) -> psycopg.AsyncConnection[tuple[object, ...]]:
    address = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await psycopg.AsyncConnection.connect(address, autocommit=True, **postgres_arguments(PATIENCE))
    try:
        await connection.execute(f"LISTEN {CHANNEL}")
    except BaseException:
        await connection.close()
        raise
    return connection


async def _all(database: Database) -> Update:
    async with database.read() as connection:
        return Update(whole=True, devices=await read_enrolled(connection))


async def _some(database: Database, ids: Collection[str]) -> Update:
    async with database.read() as connection:
        found = await read_enrolled(connection, ids)
    gone = set(ids) - {each.device.id for each in found}
    return Update(whole=False, devices=found, gone=tuple(sorted(gone)))
