"""Which gateways share the registry, and when each was last seen."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from slopn_helper.gateway.registry import statements, tables
from slopn_helper.gateway.registry.database import Database
from slopn_helper.gateway.registry.errors import RegistryError
from slopn_helper.gateway.registry.rows import gateway_of, gateway_row
from slopn_helper.gateway.types import Gateway


class Gateways:
    """The registry's part that knows the gateways."""

    database: Database

    async def beat(self, gateway: Gateway) -> Gateway | None:
        """Say that a gateway is there, with what it is now; returns what was said of it last, None: nothing.

        Raises `RegistryError` if another id has its key.
        """
        async with self.database.write() as connection:
            values = gateway_row(gateway)
            column = tables.gateway.c.id
            before = (await connection.execute(sa.select(tables.gateway).where(column == gateway.id))).first()
            statement = statements.insert(connection.dialect.name)(tables.gateway).values(values)
            changes = {name: value for name, value in values.items() if name != "id"}
            try:
                await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changes))
            except IntegrityError as error:
                raise RegistryError("Another gateway has this WireGuard key: each needs its own.") from error
            return None if before is None else gateway_of(before)

    async def gateways(self) -> tuple[Gateway, ...]:
        """All that ever said so, by id; `last_seen` tells which are alive."""
        async with self.database.read() as connection:
            rows = await connection.execute(sa.select(tables.gateway).order_by(tables.gateway.c.id))
            return tuple(map(gateway_of, rows.all()))

    async def forget_gateway(self, gateway: str) -> bool:
        """One was taken out of service. False: there is none of that id."""
        async with self.database.write() as connection:
            column = tables.gateway.c.id
            gone = sa.delete(tables.gateway).where(column == gateway).returning(column)
            return bool((await connection.execute(gone)).first())
