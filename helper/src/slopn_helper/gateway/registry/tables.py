"""The registry's tables. Constraints decide who has which address and key; code only proposes.

Written for SQLite and PostgreSQL alike. The migrations say the same again, for good: a test compares them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import sqlalchemy as sa

from slopn_wire.profile import IPAddress, IPNetwork


class Moment(sa.types.TypeDecorator[float]):
    """Unix seconds in Python, UTC to the microsecond in the database."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Any) -> datetime | None:
        """To the database."""
        del dialect
        return None if value is None else datetime.fromtimestamp(value, UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> float | None:
        """From the database; SQLite has no zones."""
        del dialect
        return None if value is None else value.replace(tzinfo=value.tzinfo or UTC).timestamp()


class Address(sa.types.TypeDecorator[IPAddress]):
    """An IP address as its one canonical text, so that equal addresses are equal texts."""

    impl = sa.String(45)
    cache_ok = True

    def process_bind_param(self, value: IPAddress | None, dialect: Any) -> str | None:
        """To the database."""
        del dialect
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Any) -> IPAddress | None:
        """From the database."""
        del dialect
        return None if value is None else ip_address(value)


class Network(sa.types.TypeDecorator[IPNetwork]):
    """A network as its one canonical text."""

    impl = sa.String(49)
    cache_ok = True

    def process_bind_param(self, value: IPNetwork | None, dialect: Any) -> str | None:
        """To the database."""
        del dialect
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Any) -> IPNetwork | None:
        """From the database."""
        del dialect
        return None if value is None else ip_network(value)


VERSION = "0002"
"""Of this schema: the last migration's."""
CURRENT, NEXT = "current", "next"

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

pool = sa.Table(
    "pool",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("network", Network, nullable=False, unique=True),
    sa.Column("reserved", sa.JSON, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
)

token = sa.Table(
    "token",
    metadata,
    sa.Column("hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("label", sa.String(64), nullable=False),
    sa.Column("uses", sa.Integer, nullable=False),
    sa.Column("left", sa.Integer, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("expires", Moment, nullable=False),
    sa.Column("revoked", Moment),
    sa.CheckConstraint('"left" >= 0 AND "left" <= uses', name="left"),
)

device = sa.Table(
    "device",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("expires", Moment),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("revoked", Moment),
    sa.Column("renewed", Moment),
    sa.Column("token", sa.LargeBinary(32), sa.ForeignKey("token.hash", ondelete="SET NULL")),
    sa.CheckConstraint("kind IN ('slopn', 'wireguard')", name="kind"),
)

key = sa.Table(
    "device_key",
    metadata,
    sa.Column("public_key", sa.LargeBinary(32), primary_key=True),
    sa.Column("device", sa.String(32), sa.ForeignKey("device.id", ondelete="CASCADE"), nullable=False),
    sa.Column("role", sa.String(8), nullable=False),
    sa.UniqueConstraint("device", "role"),
    sa.CheckConstraint("role IN ('current', 'next')", name="role"),
)

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("address", Address, primary_key=True),
    sa.Column("pool", sa.String(32), sa.ForeignKey("pool.name"), nullable=False),
    sa.Column("device", sa.String(32), sa.ForeignKey("device.id", ondelete="CASCADE"), nullable=False),
    sa.Column("family", sa.SmallInteger, nullable=False),
    sa.UniqueConstraint("device", "family"),
    sa.Index(None, "pool"),
    sa.CheckConstraint("family IN (4, 6)", name="family"),
)

gateway = sa.Table(
    "gateway",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("host", sa.String(253), nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    sa.Column("public_key", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("spki_pin", sa.LargeBinary(32), nullable=False),
    sa.Column("api_host", sa.String(253), nullable=False),
    sa.Column("api_port", sa.Integer, nullable=False),
    sa.Column("last_seen", Moment, nullable=False),
)

# Alembic's own, read without Alembic, whose import takes a fifth of a start.
version = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))

# SQLite alone: triggers write here which device changed, since it has no LISTEN and NOTIFY.
change = sa.Table(
    "change",
    sa.MetaData(),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("device", sa.String(32), nullable=False),
)
