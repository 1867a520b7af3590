"""The registry's schema through the versions, by Alembic: up and down.

Imported where there is something to migrate: Alembic brings every database's dialect along.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection, to: str = "head") -> None:
    """Bring the schema up to a version, inside the caller's transaction."""
    command.upgrade(_config(connection), to)


def downgrade(connection: Connection, to: str = "base") -> None:
    """Bring the schema down to a version, inside the caller's transaction; what that version can't hold is lost."""
    command.downgrade(_config(connection), to)


def newest() -> str | None:
    """The last migration's version."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
