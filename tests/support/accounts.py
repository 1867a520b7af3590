"""A user database in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from slopn_helper.host.accounts import Account, NoAnswer

ADA, BOB, EVE, ROOT, GROUP = 1000, 1001, 1002, 0, 990


class FakeAccounts:
    """An `Accounts` in memory; Ada is in the group."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {ROOT: "root", ADA: "ada", BOB: "bob", EVE: "eve"}
        self.in_group: set[int] = {ADA}
        self.answers = True
        self.news = asyncio.Event()

    def get(self, uid: int) -> Account:
        """The user, or nothing while the database doesn't answer."""
        if not self.answers:
            return Account(uid, None, None)
        return Account(uid, self.names.get(uid), uid in self.in_group)

    def find(self, name: str) -> Account | None:
        """The user."""
        if not self.answers:
            raise NoAnswer
        return next((self.get(uid) for uid, known in self.names.items() if known == name), None)

    def group(self) -> int | None:
        """There is one."""
        return GROUP

    def members(self) -> tuple[Account, ...]:
        """Those in the group."""
        return tuple(Account(uid, self.names.get(uid), member=True) for uid in sorted(self.in_group))

    async def changes(self) -> AsyncIterator[None]:
        """When the test says so."""
        while True:
            await self.news.wait()
            self.news.clear()
            yield
