"""The registry's steps inside a transaction. What must be decided once is decided by a constraint or a locked row."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from slopn_helper.gateway import tokens as token_rules
from slopn_helper.gateway.registry import tables
from slopn_helper.gateway.registry.errors import Ended, KeyTaken, TokenRefused, UnknownDevice
from slopn_helper.gateway.registry.rows import device_row, read_enrolled, token_of
from slopn_helper.gateway.types import Device, Enrolled

_INSERT_DEVICE = sa.insert(tables.device)
_TOKEN = tables.token.c
_SPEND = (
    sa.update(tables.token)
    .where(
        _TOKEN.hash == sa.bindparam("spent"),
        _TOKEN.left > 0,
        _TOKEN.revoked.is_(None),
        _TOKEN.expires > sa.bindparam("since"),
    )
    .values({"left": _TOKEN.left - 1})
    .returning(_TOKEN.left)
)


class Again(Exception):
    """Rolls a transaction back, since what it would make is there already."""

    def __init__(self, enrolled: Enrolled) -> None:
        super().__init__()
        self.enrolled = enrolled


async def admit(connection: AsyncConnection, device: Device, now: float) -> None:
    """A device with its key, and one use of its token less, if it comes by one.

    Raises `TokenRefused`, `KeyTaken`, or `Again` with the device that the same token made of the same key before: the
    caller rolls back by each.
    """
    token = device.token
    if token is not None and not await spend(connection, token, now):
        # Also whoever lost the race for the last use comes here, after the winner has committed.
        if (again := await redeemed(connection, token, device.public_key, now)) is not None:
            raise Again(again)
        raise TokenRefused(await why_not(connection, token, now))
    if not await insert_device(connection, device):
        if token is None or (again := await redeemed(connection, token, device.public_key, now)) is None:
            raise KeyTaken
        raise Again(again)


def insert(dialect: str) -> Any:
    """The dialect's INSERT, which knows ON CONFLICT."""
    return sqlite.insert if dialect == "sqlite" else postgresql.insert


@cache
def insert_once(dialect: str, table: sa.Table, column: str) -> sa.Executable:
    """An INSERT that returns a row only if nobody had that `column`'s value before. Made once: that takes a while."""
    statement = insert(dialect)(table)
    return cast("sa.Executable", statement.on_conflict_do_nothing(index_elements=[column]).returning(table.c[column]))


def ended_by(moment: float) -> sa.ColumnElement[bool]:
    """Whether a device was revoked or had expired at a moment."""
    column = tables.device.c
    return sa.or_(column.revoked <= moment, column.expires <= moment)


def token_ended_by(moment: float) -> sa.ColumnElement[bool]:
    """Whether a token was revoked or had expired at a moment; a spent one ends when it would have expired."""
    column = tables.token.c
    return sa.or_(column.revoked <= moment, column.expires <= moment)


async def spend(connection: AsyncConnection, token: bytes, now: float) -> bool:
    """Take one use of a token, if it may be used; it is locked until the transaction ends."""
    values = {"spent": token, "since": now - token_rules.SKEW}
    return (await connection.execute(_SPEND, values)).first() is not None


async def why_not(connection: AsyncConnection, token: bytes, now: float) -> token_rules.Refusal:
    """Why `spend` took none."""
    row = (await connection.execute(sa.select(tables.token).where(tables.token.c.hash == token))).first()
    why = token_rules.judge(None if row is None else token_of(row), now)
    return why if why is not None else token_rules.Refusal.SPENT


async def insert_device(connection: AsyncConnection, device: Device) -> bool:
    """With its key. False: the key is somebody's; the caller rolls back."""
    await connection.execute(_INSERT_DEVICE, device_row(device))
    return await insert_key(connection, device.id, device.public_key, tables.CURRENT)


async def insert_key(connection: AsyncConnection, device: str, public_key: bytes, role: str) -> bool:
    """False: the key is somebody's."""
    once = insert_once(connection.dialect.name, tables.key, "public_key")
    row = {"public_key": public_key, "device": device, "role": role}
    return (await connection.execute(once, row)).first() is not None


async def redeemed(connection: AsyncConnection, token: bytes, public_key: bytes, now: float) -> Enrolled | None:
    """The device that this token made of this key, if it hasn't ended."""
    found = await of_key(connection, public_key)
    if found is None or found.device.token != token or found.device.revoked is not None:
        return None
    return None if found.device.expires is not None and found.device.expires <= now else found


async def of_key(connection: AsyncConnection, public_key: bytes) -> Enrolled | None:
    """Whose key it is, current or next."""
    owner = sa.select(tables.key.c.device).where(tables.key.c.public_key == public_key)
    device = (await connection.execute(owner)).scalar()
    return None if device is None else next(iter(await read_enrolled(connection, [device])), None)


async def one(connection: AsyncConnection, device: str) -> Enrolled:
    """A device. Raises `UnknownDevice`."""
    found = await read_enrolled(connection, [device])
    if not found:
        raise UnknownDevice(device)
    return found[0]


async def lock(connection: AsyncConnection, device: str) -> Any:
    """The device's row, which nobody else changes until the transaction ends. Raises `UnknownDevice`."""
    mine = sa.select(tables.device).where(tables.device.c.id == device).with_for_update()
    row = (await connection.execute(mine)).first()
    if row is None:
        raise UnknownDevice(device)
    return row


async def alive(connection: AsyncConnection, device: str, now: float) -> None:
    """Lock a device that hasn't ended. Raises `Ended`, `UnknownDevice`."""
    row = await lock(connection, device)
    if row.revoked is not None or (row.expires is not None and row.expires <= now):
        raise Ended(device)
