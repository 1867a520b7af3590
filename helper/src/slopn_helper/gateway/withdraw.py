"""Takes back what a gateway that doesn't run any more has changed on this host: rules, forwarding, bans of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from slopn_helper.gateway.bans import BansError
from slopn_helper.gateway.bans.edge import Edge
from slopn_helper.gateway.paths import Paths
from slopn_helper.host.firewall import FirewallError
from slopn_helper.host.firewall.libnft import Nft
from slopn_helper.host.journal import Journal
from slopn_helper.host.restore import restore
from slopn_helper.store.lock import StateLock, StateLocked

LOCK = "lock"
"""The file's name in the state directory that a running gateway holds locked."""


class WithdrawError(Exception):
    """Something can't be taken back; a sentence."""


async def withdraw(
    paths: Paths,
    *,
    put_back: Callable[[Journal], Awaitable[list[str]]] = restore,
    let_in: Callable[[], None] | None = None,
) -> bool:
    """Undo what the gateway's journal holds, and let in whom it has banned. False: there was nothing to undo.

    Raises `WithdrawError`: while a gateway runs nothing is changed; else the rest was undone. The others are for tests.
    """
    if not paths.journal.exists():
        return False
    lock = StateLock(paths.state / LOCK)
    try:
        lock.acquire()
    except StateLocked as error:
        raise WithdrawError(f"{error}, by a gateway that still runs: end it, and run this again.") from None
    try:
        journal = Journal(paths.journal)
        there = bool(journal.entries())
        failed = await put_back(journal)
        # Nothing of ours is in the kernel, bans neither, where a gateway never served.
        if there and not failed:
            (let_in or _let_in)()
    except (BansError, FirewallError, OSError) as error:
        raise WithdrawError(str(error)) from error
    finally:
        lock.release()
    if failed:
        raise WithdrawError(" ".join(failed))
    return there


def _let_in() -> None:
    Edge(Nft()).remove()
