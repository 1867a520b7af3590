"""The users and groups of this computer: interface alone; `nss` is its mechanism on Linux and macOS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct

GROUP = "slopn"
"""Its members may use the helper; the packages make it."""


class NoAnswer(Exception):
    """The user database didn't answer in time; asked again a little later, it may have."""


class Account(Struct, frozen=True):
    """What the user database says of a user, as far as it has answered."""

    uid: int
    name: str | None
    """None: there is no such user, or no answer yet."""
    member: bool | None
    """Of the group `slopn`; None: no answer yet."""


class Accounts(Protocol):
    """The user database. It may be a directory server far away: no call but `find` blocks for longer than a moment."""

    def get(self, uid: int) -> Account:
        """The user of this number, as of seconds ago at most, or as far as there was an answer."""
        ...

    def find(self, name: str) -> Account | None:
        """The user of this name; None: there is none. May block for a second: not in the event loop. Raises `NoAnswer`."""
        ...

    def group(self) -> int | None:
        """The number of the group `slopn`; None: there is none, or no answer yet."""
        ...

    def members(self) -> tuple[Account, ...]:
        """The members of the group `slopn`, as of a minute ago at most."""
        ...

    def changes(self) -> AsyncIterator[None]:
        """Again after each change of what `get`, `group` or `members` last said, for ever."""
        ...
