"""All of the registry as one JSON document, at one moment, and back; from either kind of database into either.

It holds no secret: public keys, and hashes of tokens.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.exc import IntegrityError

from slopn_helper.gateway.pools import overlapping, usable
from slopn_helper.gateway.registry import tables
from slopn_helper.gateway.registry.database import Database
from slopn_helper.gateway.registry.errors import BadBackup
from slopn_helper.gateway.registry.rows import (
    device_row,
    gateway_of,
    gateway_row,
    lease_row,
    pool_row,
    read_enrolled,
    read_pools,
    token_of,
)
from slopn_helper.gateway.types import Enrolled, Gateway, Pool, Token
from slopn_wire import codec

FORMAT = 1

_AT_ONCE = 500


class Backup(Struct, frozen=True, forbid_unknown_fields=True):
    """What the document holds."""

    slopn_registry: int
    """`FORMAT` of the version that wrote it."""
    pools: tuple[Pool, ...]
    tokens: tuple[Token, ...]
    devices: tuple[Enrolled, ...]
    gateways: tuple[Gateway, ...]


async def take(database: Database) -> bytes:
    """See `Registry.backup`."""
    async with database.read() as connection:
        tokens = await connection.execute(sa.select(tables.token).order_by(tables.token.c.created))
        gateways = await connection.execute(sa.select(tables.gateway).order_by(tables.gateway.c.id))
        whole = Backup(
            FORMAT,
            pools=await read_pools(connection),
            tokens=tuple(map(token_of, tokens.all())),
            devices=await read_enrolled(connection),
            gateways=tuple(map(gateway_of, gateways.all())),
        )
    return codec.encode(whole)


async def put(database: Database, data: bytes) -> None:
    """See `Registry.restore`."""
    backup = _read(data)
    devices = [each.device for each in backup.devices]
    keys = [
        {"public_key": public_key, "device": device.id, "role": role}
        for device in devices
        for role, public_key in ((tables.CURRENT, device.public_key), (tables.NEXT, device.next_key))
        if public_key is not None
    ]
    rows: list[tuple[sa.Table, list[dict[str, Any]]]] = [
        (tables.pool, [pool_row(pool, at) for at, pool in enumerate(backup.pools)]),
        (tables.token, [{name: getattr(each, name) for name in each.__struct_fields__} for each in backup.tokens]),
        (tables.device, list(map(device_row, devices))),
        (tables.key, keys),
        (tables.lease, [lease_row(lease) for each in backup.devices for lease in each.leases]),
        (tables.gateway, list(map(gateway_row, backup.gateways))),
    ]
    try:
        async with database.write() as connection:
            for table, _ in reversed(rows):
                await connection.execute(sa.delete(table))
            for table, values in rows:
                for at in range(0, len(values), _AT_ONCE):
                    await connection.execute(sa.insert(table), values[at : at + _AT_ONCE])
    except IntegrityError as error:
        raise BadBackup(
            "The backup contradicts itself: two devices with one address or key, or parts missing."
        ) from error


def _read(data: bytes) -> Backup:
    try:
        backup = codec.decode(data, Backup)
    except msgspec.DecodeError as error:
        raise BadBackup(f"This is no backup of a registry: {error}.") from None
    if backup.slopn_registry != FORMAT:
        raise BadBackup(f"The backup is of another version (format {backup.slopn_registry}, not {FORMAT}).")
    if overlapping(backup.pools) is not None:
        raise BadBackup("The backup's pools overlap.")
    pools = {pool.name: pool for pool in backup.pools}
    for each in backup.devices:
        for lease in each.leases:
            pool = pools.get(lease.pool)
            if pool is None or lease.device != each.device.id or not _lendable(pool, int(lease.address), lease):
                raise BadBackup(f"The backup gives the device {each.device.id} an address that isn't its pool's.")
    return backup


def _lendable(pool: Pool, number: int, lease: Any) -> bool:
    first, last = usable(pool.network)
    return lease.address.version == pool.network.version and first <= number <= last
