"""Run by Alembic: migrates on the connection, and inside the transaction, that it was handed."""

from __future__ import annotations

from alembic import context

from slopn_helper.gateway.registry.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
