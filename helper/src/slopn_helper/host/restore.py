"""Puts the host back by replaying the journal's inverses, newest first."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from slopn_helper.host import files, sysctl
from slopn_helper.host.journal import (
    Entry,
    FileWas,
    Journal,
    NetworkManagerWas,
    RemoveAddresses,
    RemoveNftTable,
    RemoveRoutes,
    RemoveRules,
    ResolvconfRecord,
    ResolvedRevert,
    SysctlWas,
)

log = logging.getLogger(__name__)

Undo = Callable[[Entry], Awaitable[None]]


async def restore(
    journal: Journal, *, keep: tuple[type, ...] = (), damage: bool = True, undo: Undo | None = None
) -> list[str]:
    """Undo all that stands in the journal, newest first, and forget what was undone.

    A failure doesn't stop the rest; its entry stays for the next try. Entries of the types in `keep` are neither
    undone nor forgotten (a helper that starts with the wish secured keeps the firewall). Returns one sentence for each
    thing that could not be put back; with `damage`, also for each part of the journal that could not be read. `undo`
    is the platform's dispatch to its mechanisms, by default Linux's.
    """
    undo = undo or undo_entry
    failed = list(journal.damage()) if damage else []
    for entry in reversed(journal.entries()):
        if isinstance(entry, keep):
            continue
        try:
            await undo(entry)
            journal.forget(entry.key)
        except Exception as error:  # noqa: BLE001 (whatever a mechanism raises, the others must still be undone)
            log.error("restore: %s: %s", entry.key, error)  # noqa: TRY400 (the sentence says it; no trace for users)
            failed.append(f"{entry.key} could not be put back: {error}")
    return failed


async def all_of(*undos: Callable[[], Awaitable[object]]) -> list[str]:
    """Do each, whatever becomes of the others; a sentence for each that failed."""
    failed = []
    for undo in undos:
        try:
            await undo()
        except Exception as error:  # noqa: BLE001 - whatever a mechanism raises, the others must still be undone
            failed.append(str(error))
    return failed


async def undo_entry(entry: Entry) -> None:
    """Undo one entry by the mechanism of Linux it belongs to. Raises that mechanism's error, `LookupError` where there is none."""
    match entry:
        case RemoveNftTable():
            from slopn_helper.host.firewall import nftables

            await nftables.undo(entry)
        case RemoveRules() | RemoveRoutes() | RemoveAddresses():
            from slopn_helper.host.routes import linux

            await linux.undo(entry)
        case SysctlWas():
            sysctl.undo(entry)
        case FileWas():
            files.undo(entry)
        case ResolvedRevert():
            from slopn_helper.host.dns import resolved

            await resolved.undo(entry)
        case NetworkManagerWas():
            from slopn_helper.host.dns import networkmanager

            await networkmanager.undo(entry)
        case ResolvconfRecord():
            from slopn_helper.host.dns import resolvconf

            await resolvconf.undo(entry)
        case _:
            raise LookupError("written by SloPN on another operating system")
