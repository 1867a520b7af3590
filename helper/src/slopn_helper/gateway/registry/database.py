"""One way to both databases: transactions that are whole, and errors of the drivers as `Unavailable`.

SQLite: WAL, one writer at a time (BEGIN IMMEDIATE), synchronous FULL, so that what was answered survives a power cut.
PostgreSQL: writers READ COMMITTED, with constraints and row locks; readers REPEATABLE READ.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import aiosqlite
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from slopn_helper.gateway.registry import tables
from slopn_helper.gateway.registry.errors import Unavailable, WrongSchema
from slopn_helper.gateway.registry.writer import WritingConnection, connect

PATIENCE = 10.0
"""Seconds that an operation waits for its turn, a lock or an answer, each."""


class Database:
    """A database by its URL: `sqlite:////absolute/path` or `postgresql://…`. Both must exist; see `create`."""

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self.url = sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._patience = patience
        self._file = Path(self.url.database or "") if self.is_sqlite else None
        self._identity: tuple[int, int] | None = None
        self._reader, self._writer = self._engines()

    async def create(self) -> None:
        """Make SQLite's file if there is none, readable by its owner alone, and bring the schema up to date.

        Raises `Unavailable`; `WrongSchema` if it is a later version's.
        """
        if self._file is not None:
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                os.close(os.open(self._file, os.O_CREAT | os.O_RDWR, 0o600))
            except OSError as error:
                raise Unavailable(error.strerror or "no file") from error
        async with self.write() as connection:
            version = await connection.run_sync(_version)
            if version == tables.VERSION:
                return
            if version is not None and version > tables.VERSION:
                raise WrongSchema(
                    f"The registry is of a later version ({version}) than this gateway knows ({tables.VERSION})."
                )
            from slopn_helper.gateway.registry import migrations

            await connection.run_sync(migrations.upgrade)

    async def check(self) -> None:
        """Raises `WrongSchema` unless the schema is this version's; `Unavailable`."""
        async with self.read() as connection:
            version = await connection.run_sync(_version)
        if version != tables.VERSION:
            raise WrongSchema(
                f"The registry's schema is {version or 'missing'}, this gateway's {tables.VERSION}: "
                "run `slopn-gateway init` again."
            )

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed at the end, or rolled back by any exception. Raises `Unavailable`."""
        async with self._transaction(self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database throughout and changes nothing. Raises `Unavailable`."""
        async with self._transaction(self._reader) as connection:
            yield connection

    async def close(self) -> None:
        """Close every connection."""
        await self._reader.dispose()
        await self._writer.dispose()

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        await self._same_file()
        try:
            async with engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except DBAPIError as error:
            if isinstance(error, ProgrammingError) and not error.connection_invalidated:
                raise
            raise Unavailable(type(error.orig).__name__) from error
        except PoolTimeout as error:
            raise Unavailable("too much to do") from error
        except OSError as error:
            raise Unavailable(error.strerror or type(error).__name__) from error

    async def _same_file(self) -> None:
        """Let go of a file that isn't at its path any more: what is written there would be lost."""
        if self._file is None:
            return
        try:
            found = self._file.stat()
        except OSError as error:
            raise Unavailable(error.strerror or "no file") from error
        identity = (found.st_dev, found.st_ino)
        if self._identity not in {None, identity}:
            await self.close()
        self._identity = identity

    def _engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        if self._file is None:
            return self._postgres("REPEATABLE READ", connections=4), self._postgres("READ COMMITTED", connections=6)
        writer = self._sqlite(WritingConnection, "BEGIN IMMEDIATE", connections=1)
        reader = self._sqlite(aiosqlite.Connection, "BEGIN", connections=4)
        return reader, writer

    def _postgres(self, isolation: Literal["REPEATABLE READ", "READ COMMITTED"], connections: int) -> AsyncEngine:
        return create_async_engine(
            self.url.set(drivername="postgresql+psycopg"),
            isolation_level=isolation,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=self._patience,
            pool_pre_ping=True,
            connect_args=postgres_arguments(self._patience),
        )

    def _sqlite(self, kind: type[aiosqlite.Connection], begin: str, connections: int) -> AsyncEngine:
        # mode=rw: a missing file is an error, and no new and empty registry.
        path = f"file:{quote(str(self._file))}?mode=rw"
        engine = create_async_engine(
            "sqlite+aiosqlite://",
            async_creator=lambda: connect(path, self._patience, kind),
            poolclass=AsyncAdaptedQueuePool,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=self._patience,
        )

        @sa.event.listens_for(engine.sync_engine, "connect")
        def _(connection: Any, record: Any) -> None:
            del record
            cursor = connection.cursor()
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
            ):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @sa.event.listens_for(engine.sync_engine, "begin")
        def _(connection: sa.Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine


def _version(connection: sa.Connection) -> str | None:
    """The schema's; None: there is none yet."""
    if not sa.inspect(connection).has_table(tables.version.name):
        return None
    found: str | None = connection.execute(sa.select(tables.version.c.version_num)).scalar()
    return found


def postgres_arguments(patience: float) -> dict[str, Any]:
    """How psycopg connects: a server that is gone, hangs or waits for ever is an error after `patience` seconds."""
    timeout = int(patience * 1000)
    limits = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    return {
        "connect_timeout": max(2, int(patience / 2)),
        "tcp_user_timeout": timeout,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "application_name": "slopn-gateway",
        "options": " ".join(f"-c {limit}={timeout}" for limit in limits) + " -c TimeZone=UTC",
    }
