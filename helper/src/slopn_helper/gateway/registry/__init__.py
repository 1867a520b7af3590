"""Who is enrolled, at which address, by which token: the one truth of one gateway, or of several that share it.

Every operation is one transaction. Raises `errors.Unavailable` while the database can't be reached; each may be tried
again then. Times are passed in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from slopn_helper.gateway import pools as pool_rules
from slopn_helper.gateway import tokens as token_rules
from slopn_helper.gateway.devices import key_problem, name_problem, new_id
from slopn_helper.gateway.registry import backup, feed, statements, tables
from slopn_helper.gateway.registry.database import PATIENCE, Database
from slopn_helper.gateway.registry.errors import (
    KeyTaken,
    PoolConflict,
)
from slopn_helper.gateway.registry.gateways import Gateways
from slopn_helper.gateway.registry.leases import Addresses
from slopn_helper.gateway.registry.rows import (
    pool_row,
    read_enrolled,
    read_pools,
)
from slopn_helper.gateway.registry.tokens import Tokens
from slopn_helper.gateway.types import Device, DeviceKind, Enrolled, Lease, Pool

REST = 600.0
"""Seconds after its end before a device's addresses go to others: every gateway has heard of it by then."""


class Registry(Tokens, Gateways):
    """The registry behind a database's URL. `chance(n)` gives n random bytes, for the ids of devices."""

    def __init__(self, url: str, chance: Callable[[int], bytes], *, patience: float = PATIENCE) -> None:
        self.database = Database(url, patience=patience)
        self._chance = chance
        self._addresses = Addresses()
        self._loaded = False
        self._bell = feed.Bell()

    async def create(self, pools: Sequence[Pool]) -> None:
        """Make the registry, or bring it up to date, with at least these pools.

        Raises `PoolConflict`, `WrongSchema`.
        """
        await self.database.create()
        async with self.database.write() as connection:
            there = await read_pools(connection)
            fresh = [pool for pool in pools if pool not in there]
            _check_pools(there, fresh)
            for position, pool in enumerate(fresh, len(there)):
                await connection.execute(sa.insert(tables.pool).values(pool_row(pool, position)))
        self._loaded = False

    async def close(self) -> None:
        """Close every connection. Nobody may read `changes` any more."""
        await self.database.close()

    # -- enrolment ---------------------------------------------------------------------------------------------------

    async def redeem(
        self, secret: bytes, name: str, public_key: bytes, *, now: float, expires: float | None
    ) -> Enrolled:
        """Enrol a SloPN client by a token. Raises `TokenRefused`, `KeyTaken`, `PoolExhausted`, `ValueError`.

        The same token with the same key gives the same device again and spends nothing: an answer may get lost.
        """
        spent = token_rules.digest(secret)
        device = self._new(name, public_key, DeviceKind.SLOPN, now, expires, spent)
        return await self._enrol(device, now)

    async def add(
        self, name: str, public_key: bytes, kind: DeviceKind, *, now: float, expires: float | None
    ) -> Enrolled:
        """Enrol a device by an administrator's word. Raises `KeyTaken`, `PoolExhausted`, `ValueError`."""
        device = self._new(name, public_key, kind, now, expires, None)
        return await self._enrol(device, now)

    # -- devices -----------------------------------------------------------------------------------------------------

    async def devices(self) -> tuple[Enrolled, ...]:
        """All of them, oldest first, also those that ended and aren't forgotten yet."""
        async with self.database.read() as connection:
            return await read_enrolled(connection)

    async def device(self, device: str) -> Enrolled:
        """One of them. Raises `UnknownDevice`."""
        async with self.database.read() as connection:
            return await statements.one(connection, device)

    async def by_key(self, public_key: bytes) -> Enrolled | None:
        """Whose key it is, current or next; None: nobody's."""
        async with self.database.read() as connection:
            return await statements.of_key(connection, public_key)

    async def renew(self, device: str, *, now: float, expires: float | None) -> Device:
        """Prolong an enrolment, from a client or by an administrator; one that ended stays so.

        Raises `Ended`, `UnknownDevice`.
        """
        return await self._change(device, now, expires=expires, renewed=now)

    async def set_expiry(self, device: str, *, now: float, expires: float | None) -> Device:
        """As `renew`, by an administrator's word, who may also end it now."""
        return await self._change(device, now, expires=expires)

    async def rename(self, device: str, name: str, *, now: float) -> Device:
        """Call a device something else. Raises `Ended`, `UnknownDevice`, `ValueError`."""
        _check(name_problem(name))
        return await self._change(device, now, name=name)

    async def set_disabled(self, device: str, *, disabled: bool, now: float) -> Device:
        """Keep a device out for a while, or let it in again. Raises `Ended`, `UnknownDevice`."""
        return await self._change(device, now, disabled=disabled)

    async def revoke(self, device: str, *, now: float) -> Device:
        """End an enrolment for good. Once more is no error. Raises `UnknownDevice`."""
        async with self.database.write() as connection:
            revoke = (
                sa.update(tables.device)
                .where(tables.device.c.id == device, tables.device.c.revoked.is_(None))
                .values(revoked=now)
            )
            await connection.execute(revoke)
            found = await statements.one(connection, device)
        self._bell.ring()
        return found.device

    async def rotate(self, device: str, next_key: bytes, *, now: float) -> Device:
        """Announce a device's next key: from now on both are valid. A key announced before and never used is dropped.

        Raises `KeyTaken`, `Ended`, `UnknownDevice`, `ValueError`.
        """
        _check(key_problem(next_key))
        async with self.database.write() as connection:
            await statements.alive(connection, device, now)
            found = await statements.one(connection, device)
            if next_key in {found.device.next_key, found.device.public_key}:
                return found.device
            key = tables.key
            await connection.execute(sa.delete(key).where(key.c.device == device, key.c.role == tables.NEXT))
            if not await statements.insert_key(connection, device, next_key, tables.NEXT):
                raise KeyTaken
            found = await statements.one(connection, device)
        self._bell.ring()
        return found.device

    async def settle(self, device: str, key: bytes) -> Device:
        """A handshake with `key` was seen: if it is the next one, the one before ends. Raises `UnknownDevice`."""
        column = tables.key.c
        async with self.database.write() as connection:
            # Locked, so that of two gateways that see the handshake one finds nothing left to do.
            await statements.lock(connection, device)
            found = await statements.one(connection, device)
            if found.device.next_key != key:
                return found.device
            await connection.execute(
                sa.delete(tables.key).where(column.device == device, column.role == tables.CURRENT)
            )
            await connection.execute(sa.update(tables.key).where(column.public_key == key).values(role=tables.CURRENT))
            found = await statements.one(connection, device)
        self._bell.ring()
        return found.device

    async def sweep(self, *, now: float, keep: float) -> int:
        """Free the addresses of devices that ended `REST` ago, forget those that ended `keep` seconds ago, tokens likewise.

        Returns how many addresses became free. To be called now and then, by any gateway.
        """
        device, lease, token = tables.device, tables.lease, tables.token
        async with self.database.write() as connection:
            rested = sa.select(device.c.id).where(statements.ended_by(now - max(REST, 0.0)))
            gone = sa.delete(lease).where(lease.c.device.in_(rested)).returning(lease)
            freed = [Lease(row.device, row.pool, row.address) for row in (await connection.execute(gone)).all()]
            await connection.execute(sa.delete(device).where(statements.ended_by(now - max(keep, REST))))
            await connection.execute(sa.delete(token).where(statements.token_ended_by(now - max(keep, REST))))
        self._addresses.give_back(freed)
        self._bell.ring()
        return len(freed)

    # -- pools -------------------------------------------------------------------------------------------------------

    async def pools(self) -> tuple[Pool, ...]:
        """All pools, in the order in which they are used."""
        async with self.database.read() as connection:
            return await read_pools(connection)

    async def lent(self) -> dict[str, int]:
        """How many addresses of each pool are lent, for the metrics."""
        count = sa.select(tables.pool.c.name, sa.func.count(tables.lease.c.address))
        joined = count.select_from(tables.pool.outerjoin(tables.lease)).group_by(tables.pool.c.name)
        async with self.database.read() as connection:
            return {row[0]: row[1] for row in (await connection.execute(joined)).all()}

    # -- what changes, and all of it ---------------------------------------------------------------------------------

    def changes(self, *, every: float = 30.0) -> AsyncIterator[feed.Update]:
        """First all devices, then those that change, and all again `every` seconds and after each loss of the database.

        Whoever reads sees each device's latest state soon after each commit by any gateway or program; states between
        may be left out. It ends only when it is closed, and raises nothing while the database is gone.
        """
        return feed.follow(self.database, self._bell, every)

    async def backup(self) -> bytes:
        """All of it, at one moment, as JSON that either kind of database takes back."""
        return await backup.take(self.database)

    async def restore(self, data: bytes) -> None:
        """Replace all of it by a backup, in one transaction. Raises `BadBackup`: then nothing has changed."""
        await backup.put(self.database, data)
        self._loaded = False
        self._bell.ring()

    # ----------------------------------------------------------------------------------------------------------------

    def _new(
        self, name: str, public_key: bytes, kind: DeviceKind, now: float, expires: float | None, token: bytes | None
    ) -> Device:
        _check(name_problem(name))
        _check(key_problem(public_key))
        return Device(
            id=new_id(self._chance),
            name=name,
            public_key=public_key,
            kind=kind,
            created=_stored(now),
            expires=None if expires is None else _stored(expires),
            token=token,
        )

    async def _enrol(self, device: Device, now: float) -> Enrolled:
        await self._load()
        held: list[Lease] = []
        try:
            async with self.database.write() as connection:
                await statements.admit(connection, device, now)
                held += await self._addresses.lend(connection, device.id)
        except statements.Again as found:
            return found.enrolled
        except BaseException:
            self._addresses.give_back(held)
            raise
        self._bell.ring()
        return Enrolled(device, tuple(held))

    async def _load(self) -> None:
        if not self._loaded:
            async with self.database.read() as connection:
                await self._addresses.load(connection)
            self._loaded = True

    async def _change(self, device: str, now: float, **values: Any) -> Device:
        async with self.database.write() as connection:
            await statements.alive(connection, device, now)
            await connection.execute(sa.update(tables.device).where(tables.device.c.id == device).values(values))
            found = await statements.one(connection, device)
        self._bell.ring()
        return found.device


def _check(problem: str | None) -> None:
    if problem is not None:
        raise ValueError(problem)


def _stored(moment: float) -> float:
    """As the database gives it back: whole microseconds."""
    return round(moment, 6)


def _check_pools(there: Iterable[Pool], fresh: Sequence[Pool]) -> None:
    named = {pool.name: pool for pool in there}
    for pool in fresh:
        if (other := named.get(pool.name)) is not None:
            raise PoolConflict(
                f"The pool {pool.name} is {other.network} in the registry and {pool.network} in the settings."
            )
    if (clash := pool_rules.overlapping([*named.values(), *fresh])) is not None:
        raise PoolConflict(f"The pools {clash[0].network} and {clash[1].network} overlap.")
