"""What stands in the state directory's files, and how old files are brought up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from slopn_wire import codec
from slopn_wire.profile import Profile
from slopn_wire.state import TargetState

VERSION = 1
"""The format this SloPN writes. It rises with every change that an older one would misread."""

Migration = Callable[[Any], Any]
MIGRATIONS: dict[tuple[str, int], Migration] = {}
"""(name of the document's type, format n) → its JSON content in format n + 1. What has no entry did not change."""

_T = TypeVar("_T", bound=Struct)


class Damaged(Exception):
    """A file that doesn't hold what it should."""


class NewerFormat(Exception):
    """A file that a newer SloPN wrote; it must not be touched."""

    def __init__(self, version: int) -> None:
        super().__init__(f"format {version}; this SloPN knows {VERSION}")


class Wish(Struct, frozen=True):
    """What the user asked for last; it survives restarts."""

    target: TargetState = TargetState.UNSECURED
    profile: str | None = None
    """The profile connected to last, also while none is wanted."""
    until: float | None = None
    """Unix time at which a pause is over; None unless `target` is PAUSED."""
    boot: str = ""
    """The computer's run in which the pause was asked for: it doesn't outlive it."""


class StoredProfile(Struct, frozen=True):
    """A profile, and the identifier of its keys in the secret store."""

    profile: Profile
    secrets: str


class _Envelope(Struct, frozen=True):
    version: int
    content: msgspec.Raw


def pack(content: Struct) -> bytes:
    """`content` as a file of today's format."""
    envelope = {"version": VERSION, "content": msgspec.Raw(codec.encode(content))}
    return msgspec.json.format(msgspec.json.encode(envelope), indent=1) + b"\n"


def unpack(raw: bytes, kind: type[_T]) -> _T:
    """A file's content as `kind`, migrated. Raises `Damaged`, or `NewerFormat` for one from the future."""
    try:
        envelope = msgspec.json.decode(raw, type=_Envelope)
        if envelope.version > VERSION:
            raise NewerFormat(envelope.version)
        content = bytes(envelope.content)
        for version in range(envelope.version, VERSION):
            migrate = MIGRATIONS.get((kind.__name__, version))
            if migrate is not None:
                content = msgspec.json.encode(migrate(msgspec.json.decode(content)))
        return codec.decode(content, kind)
    except (ValueError, TypeError, LookupError, RecursionError, msgspec.DecodeError) as error:
        raise Damaged(str(error)) from None
