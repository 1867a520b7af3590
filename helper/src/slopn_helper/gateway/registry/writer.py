"""SQLite's writing connection: only what may wait goes to a thread.

aiosqlite hands each step of a statement to its thread and back; measured, two dozen such hops are two thirds of an
enrolment's time. Inside a write transaction a statement waits for nobody: it holds the lock already, and the disk is
asked at the end. So BEGIN and COMMIT go to the thread, and the rest is done where it stands.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import aiosqlite


class WritingConnection(aiosqlite.Connection):
    """For transactions of few and small statements."""

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        connection = self._connection
        if connection is None or not connection.in_transaction or _may_wait(connection, fn):
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        return fn(*args, **kwargs)


async def connect(path: str, patience: float, kind: type[aiosqlite.Connection]) -> aiosqlite.Connection:
    """Open a file by its URI (https://www.sqlite.org/uri.html); `patience`: seconds to wait for another program's transaction."""

    def connector() -> sqlite3.Connection:
        return sqlite3.connect(path, uri=True, timeout=patience, isolation_level=None, check_same_thread=False)

    return await kind(connector, iter_chunk_size=64)


def _may_wait(connection: sqlite3.Connection, fn: Callable[..., Any]) -> bool:
    return fn in {connection.commit, connection.rollback, connection.close}
