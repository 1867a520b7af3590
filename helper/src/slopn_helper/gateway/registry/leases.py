"""Lends addresses inside a transaction: memory proposes the next free one, the table's primary key decides.

Several gateways, and several programs on one, may lend at the same time; each learns from a refused proposal that the
address is somebody's, and goes on with the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from slopn_helper.gateway.pools import FreeAddresses
from slopn_helper.gateway.registry import tables
from slopn_helper.gateway.registry.errors import PoolExhausted
from slopn_helper.gateway.registry.rows import lease_row, read_pools
from slopn_helper.gateway.registry.statements import insert_once
from slopn_helper.gateway.types import Lease


class Addresses:
    """What this process believes to be free. It may be wrong in both directions and heals by itself."""

    def __init__(self) -> None:
        self._free: list[FreeAddresses] = []

    async def load(self, connection: AsyncConnection) -> None:
        """Believe what the database says."""
        taken = (await connection.execute(sa.select(tables.lease.c.address))).scalars().all()
        self._free = [FreeAddresses(pool, taken) for pool in await read_pools(connection)]

    async def lend(self, connection: AsyncConnection, device: str) -> tuple[Lease, ...]:
        """One address of each family that has pools. Raises `PoolExhausted`.

        The caller rolls back then, and hands what it got to `give_back` if its transaction fails in another way.
        """
        leases: list[Lease] = []
        try:
            # All take IPv4 first and IPv6 last, so that two transactions never wait for each other.
            for version in self._versions():
                leases.append(await self._one(connection, device, version))  # noqa: PERF401 - kept if a later one fails
        except BaseException:
            self.give_back(leases)
            raise
        return tuple(leases)

    def give_back(self, leases: Iterable[Lease]) -> None:
        """These are free again, or were never lent."""
        for lease in leases:
            for free in self._free:
                free.give_back(lease.address)

    def _versions(self) -> Sequence[int]:
        return sorted({free.pool.network.version for free in self._free})

    async def _one(self, connection: AsyncConnection, device: str, version: int) -> Lease:
        lease = await self._lend(connection, device, version)
        if lease is None and await self._room(connection, version):
            # Others have freed some, or pools are new.
            await self.load(connection)
            lease = await self._lend(connection, device, version)
        if lease is None:
            raise PoolExhausted(f"IPv{version}")
        return lease

    async def _lend(self, connection: AsyncConnection, device: str, version: int) -> Lease | None:
        once = insert_once(connection.dialect.name, tables.lease, "address")
        for free in [each for each in self._free if each.pool.network.version == version]:
            while (address := free.next()) is not None:
                free.take(address)
                lease = Lease(device, free.pool.name, address)
                try:
                    lent = (await connection.execute(once, lease_row(lease))).first()
                except BaseException:
                    free.give_back(address)
                    raise
                if lent is not None:
                    return lease
        return None

    async def _room(self, connection: AsyncConnection, version: int) -> bool:
        """Whether the database holds fewer leases of a family than its pools have addresses."""
        count = sa.select(sa.func.count()).select_from(tables.lease).where(tables.lease.c.family == version)
        lent = (await connection.execute(count)).scalar_one()
        networks = [pool for pool in await read_pools(connection) if pool.network.version == version]
        return bool(lent < sum(len(FreeAddresses(pool)) for pool in networks))
