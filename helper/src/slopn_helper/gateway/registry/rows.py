"""Between rows and the gateway's own structs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from ipaddress import ip_address
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from slopn_helper.gateway.registry import tables
from slopn_helper.gateway.types import Device, DeviceKind, Enrolled, Gateway, Lease, Pool, Token
from slopn_wire.profile import Endpoint

_AT_ONCE = 500  # ids in one statement: SQLite has a limit for parameters


async def read_enrolled(connection: AsyncConnection, ids: Collection[str] | None = None) -> tuple[Enrolled, ...]:
    """Devices with their keys and leases, oldest first; `ids`: of these alone, as far as there are."""
    if ids is not None and len(ids) > _AT_ONCE:
        found = [each for part in _parts(sorted(ids)) for each in await read_enrolled(connection, part)]
        return tuple(sorted(found, key=lambda each: (each.device.created, each.device.id)))
    device, key, lease = tables.device.c, tables.key.c, tables.lease.c
    devices = sa.select(tables.device).order_by(device.created, device.id)
    keys = sa.select(tables.key)
    leases = sa.select(tables.lease).order_by(lease.family)
    if ids is not None:
        devices = devices.where(device.id.in_(ids))
        keys = keys.where(key.device.in_(ids))
        leases = leases.where(lease.device.in_(ids))
    rows = (await connection.execute(devices)).all()
    keys_of: dict[str, dict[str, bytes]] = defaultdict(dict)
    for row in (await connection.execute(keys)).all():
        keys_of[row.device][row.role] = row.public_key
    leases_of: dict[str, list[Lease]] = defaultdict(list)
    for row in (await connection.execute(leases)).all():
        leases_of[row.device].append(Lease(row.device, row.pool, row.address))
    # A writer on PostgreSQL may see another's commit between two of these: what isn't whole comes with its own change.
    return tuple(
        Enrolled(_device(row, keys_of[row.id]), tuple(leases_of[row.id]))
        for row in rows
        if tables.CURRENT in keys_of[row.id]
    )


async def read_pools(connection: AsyncConnection) -> tuple[Pool, ...]:
    """All pools, in the order in which they are used."""
    rows = (await connection.execute(sa.select(tables.pool).order_by(tables.pool.c.position))).all()
    return tuple(Pool(row.name, row.network, tuple(map(ip_address, row.reserved))) for row in rows)


def pool_row(pool: Pool, position: int) -> dict[str, Any]:
    """For an INSERT."""
    return {
        "name": pool.name,
        "network": pool.network,
        "reserved": [str(each) for each in pool.reserved],
        "position": position,
    }


def token_of(row: Any) -> Token:
    """A row of `token`."""
    return Token(row.hash, row.label, row.uses, row.left, row.created, row.expires, row.revoked)


def gateway_of(row: Any) -> Gateway:
    """A row of `gateway`."""
    endpoint, api = Endpoint(row.host, row.port), Endpoint(row.api_host, row.api_port)
    return Gateway(row.id, endpoint, row.public_key, row.spki_pin, api, row.last_seen)


def gateway_row(gateway: Gateway) -> dict[str, Any]:
    """For an INSERT."""
    return {
        "id": gateway.id,
        "host": gateway.endpoint.host,
        "port": gateway.endpoint.port,
        "public_key": gateway.public_key,
        "spki_pin": gateway.spki_pin,
        "api_host": gateway.api.host,
        "api_port": gateway.api.port,
        "last_seen": gateway.last_seen,
    }


def device_row(device: Device) -> dict[str, Any]:
    """For an INSERT."""
    return {
        "id": device.id,
        "name": device.name,
        "kind": device.kind.value,
        "created": device.created,
        "expires": device.expires,
        "disabled": device.disabled,
        "revoked": device.revoked,
        "renewed": device.renewed,
        "token": device.token,
    }


def lease_row(lease: Lease) -> dict[str, Any]:
    """For an INSERT."""
    return {
        "address": lease.address,
        "pool": lease.pool,
        "device": lease.device,
        "family": lease.address.version,
    }


def _device(row: Any, keys: dict[str, bytes]) -> Device:
    return Device(
        id=row.id,
        name=row.name,
        public_key=keys[tables.CURRENT],
        kind=DeviceKind(row.kind),
        created=row.created,
        expires=row.expires,
        disabled=row.disabled,
        revoked=row.revoked,
        renewed=row.renewed,
        next_key=keys.get(tables.NEXT),
        token=row.token,
    )


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE))
