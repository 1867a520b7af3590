"""Pools, tokens, devices with keys and leases, gateways; and who is told of a change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_KEPT_CHANGES = 10_000


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "pool",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("network", sa.String(49), nullable=False),
        sa.Column("reserved", sa.JSON, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_pool"),
        sa.UniqueConstraint("network", name="uq_pool_network"),
    )
    op.create_table(
        "token",
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("left", sa.Integer, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("expires", _TIME, nullable=False),
        sa.Column("revoked", _TIME),
        sa.PrimaryKeyConstraint("hash", name="pk_token"),
        sa.CheckConstraint('"left" >= 0 AND "left" <= uses', name="ck_token_left"),
    )
    op.create_table(
        "device",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("expires", _TIME),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("revoked", _TIME),
        sa.Column("renewed", _TIME),
        sa.Column("token", sa.LargeBinary(32)),
        sa.PrimaryKeyConstraint("id", name="pk_device"),
        sa.ForeignKeyConstraint(["token"], ["token.hash"], name="fk_device_token", ondelete="SET NULL"),
        sa.CheckConstraint("kind IN ('slopn', 'wireguard')", name="ck_device_kind"),
    )
    op.create_table(
        "device_key",
        sa.Column("public_key", sa.LargeBinary(32), nullable=False),
        sa.Column("device", sa.String(32), nullable=False),
        sa.Column("role", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("public_key", name="pk_device_key"),
        sa.ForeignKeyConstraint(["device"], ["device.id"], name="fk_device_key_device", ondelete="CASCADE"),
        sa.UniqueConstraint("device", "role", name="uq_device_key_device_role"),
        sa.CheckConstraint("role IN ('current', 'next')", name="ck_device_key_role"),
    )
    op.create_table(
        "lease",
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("pool", sa.String(32), nullable=False),
        sa.Column("device", sa.String(32), nullable=False),
        sa.Column("family", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_lease"),
        sa.ForeignKeyConstraint(["pool"], ["pool.name"], name="fk_lease_pool"),
        sa.ForeignKeyConstraint(["device"], ["device.id"], name="fk_lease_device", ondelete="CASCADE"),
        sa.UniqueConstraint("device", "family", name="uq_lease_device_family"),
        sa.CheckConstraint("family IN (4, 6)", name="ck_lease_family"),
    )
    op.create_index("ix_lease_pool", "lease", ["pool"])
    op.create_table(
        "gateway",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("host", sa.String(253), nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("public_key", sa.LargeBinary(32), nullable=False),
        sa.Column("spki_pin", sa.LargeBinary(32), nullable=False),
        sa.Column("last_seen", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gateway"),
        sa.UniqueConstraint("public_key", name="uq_gateway_public_key"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _notify()
    else:
        _write_down()


def downgrade() -> None:
    """To nothing."""
    for table in ("gateway", "lease", "device_key", "device", "token", "pool"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION slopn_tell()")
    else:
        op.drop_table("change")


_WATCHED = (("device", "id"), ("device_key", "device"), ("lease", "device"))


def _notify() -> None:
    """Whoever listens on `slopn_device` hears a device's id when it changes, by whatever hand."""
    op.execute(
        """
        CREATE FUNCTION slopn_tell() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          PERFORM pg_notify('slopn_device', to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END) ->> TG_ARGV[0]);
          RETURN NULL;
        END $$
        """
    )
    for table, column in _WATCHED:
        op.execute(
            f"CREATE TRIGGER slopn_tell AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION slopn_tell('{column}')"
        )


def _write_down() -> None:
    """The same in a table, of which the latest lines are kept."""
    op.execute("CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, device VARCHAR(32) NOT NULL)")
    op.execute(
        "CREATE TRIGGER change_kept AFTER INSERT ON change WHEN NEW.seq % 100 = 0 "  # noqa: S608 - our own names
        f"BEGIN DELETE FROM change WHERE seq <= NEW.seq - {_KEPT_CHANGES}; END"
    )
    for table, column in _WATCHED:
        for verb, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            op.execute(
                f"CREATE TRIGGER {table}_{verb.lower()}_told AFTER {verb} ON {table} "  # noqa: S608 - our own names
                f"BEGIN INSERT INTO change (device) VALUES ({row}.{column}); END"
            )
