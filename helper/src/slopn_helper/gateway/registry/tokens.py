"""Enrolment tokens in the registry, as hashes."""

from __future__ import annotations

import sqlalchemy as sa

from slopn_helper.gateway.registry import tables
from slopn_helper.gateway.registry.database import Database
from slopn_helper.gateway.registry.rows import token_of
from slopn_helper.gateway.types import Token


class Tokens:
    """The registry's part that keeps tokens."""

    database: Database

    async def add_token(self, token: Token) -> None:
        """Keep a token that was made by `tokens.make`."""
        async with self.database.write() as connection:
            values = {name: getattr(token, name) for name in token.__struct_fields__}
            await connection.execute(sa.insert(tables.token).values(values))

    async def tokens(self) -> tuple[Token, ...]:
        """All of them, oldest first."""
        async with self.database.read() as connection:
            rows = await connection.execute(sa.select(tables.token).order_by(tables.token.c.created))
            return tuple(map(token_of, rows.all()))

    async def revoke_token(self, hash_: bytes, *, now: float) -> bool:
        """Let a token enrol nobody any more; its devices stay. False: there is none, or it was revoked before."""
        column = tables.token.c
        async with self.database.write() as connection:
            revoke = sa.update(tables.token).where(column.hash == hash_, column.revoked.is_(None)).values(revoked=now)
            return bool((await connection.execute(revoke.returning(column.hash))).first())
