"""Who sits at this computer: interface alone; `logind` is its mechanism on Linux."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class SeatMonitor(Protocol):
    """Watches which users have an active session at a local screen and keyboard. Remote sessions never count."""

    def current(self) -> frozenset[int]:
        """Their uids as of the last look; empty where nobody can tell (no logind)."""
        ...

    def changes(self) -> AsyncIterator[frozenset[int]]:
        """The uids as of now, then again after each change, for ever; heals itself when the service restarts."""
        ...
