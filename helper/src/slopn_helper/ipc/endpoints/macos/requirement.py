"""Which code signature is ours, in Apple's Code Signing Requirement Language. Pure."""

from __future__ import annotations

import re

from msgspec import Struct

_TEAM = re.compile(r"[A-Z0-9]{10}", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)
# Apple's marks in certificates: the intermediate that issues Developer IDs, and a Developer ID for programs.
_DEVELOPER_ID_ISSUER = "certificate 1[field.1.2.840.113635.100.6.2.6] exists"
_DEVELOPER_ID_PROGRAM = "certificate leaf[field.1.2.840.113635.100.6.1.13] exists"


class Signer(Struct, frozen=True):
    """Our team's identifier with Apple, and the signing identifiers of our front ends. Raises `ValueError`."""

    team: str
    identifiers: tuple[str, ...]

    def __post_init__(self) -> None:
        if not _TEAM.fullmatch(self.team):
            raise ValueError(f"no team identifier: {self.team!r}")
        if not self.identifiers or not all(map(_IDENTIFIER.fullmatch, self.identifiers)):
            raise ValueError(f"no signing identifiers: {self.identifiers!r}")


def requirement(signer: Signer) -> str:
    """Met by programs that Apple's Developer ID of `signer.team` has signed under one of the identifiers."""
    named = " or ".join(f'identifier "{name}"' for name in signer.identifiers)
    team = f'certificate leaf[subject.OU] = "{signer.team}"'
    return f"anchor apple generic and {_DEVELOPER_ID_ISSUER} and {_DEVELOPER_ID_PROGRAM} and {team} and ({named})"
