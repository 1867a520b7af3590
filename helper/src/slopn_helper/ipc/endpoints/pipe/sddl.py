"""The pipe's security descriptor, as text for Windows (MS-DTYP 2.5.1). Pure.

A small dialect: what isn't needed can't be said, so neither slip nor hostile name opens the pipe. There is no word here
for Everyone, Anonymous, a group of users, an inherited entry, or a right beyond the two below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

READ_CONTROL = 0x0002_0000
SYNCHRONIZE = 0x0010_0000
FILE_READ_DATA = 0x01
FILE_WRITE_DATA = 0x02
FILE_CREATE_PIPE_INSTANCE = 0x04
"""Whoever has it can pose as the helper. It is FILE_APPEND_DATA by another name, and so part of GENERIC_WRITE."""
FILE_READ_ATTRIBUTES = 0x80

CLIENT_ACCESS = READ_CONTROL | SYNCHRONIZE | FILE_READ_DATA | FILE_WRITE_DATA | FILE_READ_ATTRIBUTES
"""What a user gets and a front end asks for: talk, and see who owns the pipe. GENERIC_READ and GENERIC_WRITE ask for more."""

MAX_USERS = 512
"""An access list ends at 64 KiB."""

_SID = re.compile(r"S-1-(0|[1-9][0-9]*)((?:-(?:0|[1-9][0-9]*)){1,15})", re.ASCII)
_LIMIT = 1 << 32
_NT, _ENTRA = 5, 12
_ACCOUNT, _ENTRA_USER = 21, 1
_ADMINISTRATOR, _FIRST_MADE = 500, 1000


class Sid(Struct, frozen=True, order=True):
    """Who somebody is to Windows: an authority and one to fifteen numbers (MS-DTYP 2.4.2). Raises `ValueError`."""

    authority: int
    parts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.parts) <= 15 or not all(0 <= number < _LIMIT for number in (self.authority, *self.parts)):
            raise ValueError("is no security identifier")

    @classmethod
    def parse(cls, text: str) -> Sid:
        """From `S-1-5-21-…`, in the one way that Windows writes it. Raises `ValueError`."""
        found = _SID.fullmatch(text)
        if found is None:
            raise ValueError("is no security identifier")
        return cls(int(found[1]), tuple(int(part) for part in found[2][1:].split("-")))

    def __str__(self) -> str:
        return "-".join(map(str, ("S-1", self.authority, *self.parts)))

    @property
    def rid(self) -> int:
        """The last part: which account of its domain."""
        return self.parts[-1]

    @property
    def is_account(self) -> bool:
        """A person's account, as far as the numbers tell: of this computer, a domain or Entra ID.

        A group that was made by hand has numbers like an account's: who takes names from people must ask Windows.
        """
        if self.authority == _ENTRA:
            return len(self.parts) == 5 and self.parts[0] == _ENTRA_USER
        known = self.authority == _NT and len(self.parts) == 5 and self.parts[0] == _ACCOUNT
        return known and (self.rid == _ADMINISTRATOR or self.rid >= _FIRST_MADE)


SYSTEM = Sid(_NT, (18,))
ADMINISTRATORS = Sid(_NT, (32, 544))
NETWORK = Sid(_NT, (2,))
"""Who came in over the network."""

# In this order: what is denied stands first, as Windows wants it. Owner and group: SYSTEM. P: nothing is inherited.
# NU: NETWORK. FA: FILE_ALL_ACCESS. BA: ADMINISTRATORS. The label (ML) keeps who is below medium integrity (ME) from
# writing (NW) and reading (NR): a browser's sandbox runs as its user, whom the list lets in.
_OPEN = "O:SYG:SYD:P(D;;FA;;;NU)(A;;FA;;;SY)(A;;FA;;;BA)"
_CLOSE = "S:(ML;;NWNR;;;ME)"


def descriptor(users: Iterable[Sid]) -> str:
    """SYSTEM's own; SYSTEM and Administrators may do all, each of `users` what a client needs, nobody else anything.

    Raises `ValueError` for what is no person's account, and for more than `MAX_USERS`.
    """
    wanted = sorted(set(users))
    if len(wanted) > MAX_USERS:
        raise ValueError(f"more than {MAX_USERS} users")
    if odd := [str(sid) for sid in wanted if not sid.is_account]:
        raise ValueError(f"no person's account: {', '.join(odd)}")
    entries = "".join(f"(A;;{CLIENT_ACCESS:#x};;;{sid})" for sid in wanted)
    return f"{_OPEN}{entries}{_CLOSE}"
