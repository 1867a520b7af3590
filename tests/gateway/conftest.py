"""Databases for the tests of the registry: each test gets an empty one, of both kinds in turn."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.postgres import Postgres, postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """One PostgreSQL for all tests that leave it running."""
    with postgres() as running:
        yield running


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file that isn't there yet."""
    return f"sqlite:///{tmp_path}/registry.db"


@pytest.fixture
def postgres_url(server: Postgres) -> str:
    """An empty database."""
    return server.create(f"t{secrets.token_hex(6)}")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Each kind in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))
