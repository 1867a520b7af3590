"""Where each gateway's enrolment API is. Gateways say who they are every few seconds, so those known so far are forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From 0001."""
    _made_anew(
        sa.Column("api_host", sa.String(253), nullable=False),
        sa.Column("api_port", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """To 0001."""
    _made_anew()


def _made_anew(*more: sa.Column[str] | sa.Column[int]) -> None:
    """SQLite adds no column that must have a value."""
    op.drop_table("gateway")
    op.create_table(
        "gateway",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("host", sa.String(253), nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("public_key", sa.LargeBinary(32), nullable=False),
        sa.Column("spki_pin", sa.LargeBinary(32), nullable=False),
        *more,
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gateway"),
        sa.UniqueConstraint("public_key", name="uq_gateway_public_key"),
    )
