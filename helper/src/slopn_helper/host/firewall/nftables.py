"""The kill switch on Linux: one nftables table, swapped as a whole, owned where the kernel can.

Nothing here runs at the end of the process: a policy stays in force until another one is applied, or until root asks
for its removal by `remove_all`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from slopn_helper.host.firewall import FirewallError, readback, ruleset
from slopn_helper.host.firewall.libnft import Nft
from slopn_helper.host.firewall.policy import FirewallPolicy, Open
from slopn_helper.host.firewall.waiting import drop_waiting
from slopn_helper.host.journal import Journal, RemoveNftTable
from slopn_wire.events import PolicyKind

log = logging.getLogger(__name__)

_T = TypeVar("_T")

INVERSE = RemoveNftTable(ruleset.FAMILY, ruleset.TABLE)


class NftablesFirewall:
    """`Firewall` by nftables, in the network namespace of the thread that first uses it.

    libnftables runs in a thread of its own: its socket owns the table, and the event loop goes on meanwhile.
    `owned=False` makes a plain table even where the kernel could do better.
    """

    def __init__(self, journal: Journal, *, fwmark: int, owned: bool = True) -> None:
        self._journal = journal
        self._table = _Table(fwmark, owned=owned)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nftables")
        self._closed = False

    async def apply(self, policy: FirewallPolicy, *, persist: bool) -> None:
        """See `Firewall.apply`. The table outlives this process until the next boot in any case, so `persist` changes
        nothing here: the boot part is a unit's business.
        """
        del persist
        if not isinstance(policy, Open):
            try:
                self._journal.record(INVERSE)
            except OSError as error:
                raise FirewallError(f"the journal can't be written: {error}") from error
        await self._in_thread(lambda: self._table.apply(policy))
        if not isinstance(policy, Open):
            await self._close()
        else:
            self._closed = False
            try:
                self._journal.forget(INVERSE.key)
            except OSError as error:
                # Its inverse is harmless when there is nothing to undo.
                log.warning("firewall: the journal can't be written: %s", error)

    async def drift(self) -> str | None:
        """See `Firewall.drift`. Before the first `apply`, a table of an earlier process counts as a difference."""
        return await self._in_thread(self._table.drift)

    async def in_force(self) -> PolicyKind:
        """What the kernel has, whoever put it there: a helper that starts asks this. Raises `FirewallError`."""
        return await self._in_thread(self._table.kind)

    def close(self) -> None:
        """End the thread. The policy stays in force; the table is then nobody's until it is claimed again."""
        self._thread.submit(self._table.close).result()
        self._thread.shutdown()

    async def _close(self) -> None:
        if self._closed:
            return
        try:
            if dropped := await drop_waiting():
                log.info("firewall: dropped what waited for %d neighbours", dropped)
        except FirewallError as error:
            # The rules are in force: what slips out are the packets of one moment before them.
            log.warning("firewall: %s", error)
        self._closed = True

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


async def undo(entry: RemoveNftTable) -> None:
    """Remove the table of a journal's entry. Raises `FirewallError` when a living process owns it."""
    await asyncio.to_thread(lambda: Nft().remove(entry.family, entry.name))


def remove_all() -> None:
    """Open the host: remove all of ours, whoever put it there. For `slopn-helper restore` and `unlock`.

    Raises `FirewallError` while the helper that owns the table lives: end it first.
    """
    Nft().remove()


class _Table:
    """The table as this process has it. Used by one thread."""

    def __init__(self, fwmark: int, *, owned: bool) -> None:
        self._fwmark = fwmark
        self._may_own = owned
        self._context: Nft | None = None
        self._ours = False
        """The table is ours, and has our chains and no others."""
        self._last: FirewallPolicy | None = None
        self._found: readback.Objects | None = None
        """What was read back after the last `apply`."""

    def apply(self, policy: FirewallPolicy) -> None:
        try:
            wanted = ruleset.chains(policy, fwmark=self._fwmark)
        except ValueError as error:
            raise FirewallError(f"this policy can't be put into rules: {error}") from error
        nft = self._nft()
        self._put(nft, policy)
        if (difference := self._check(nft, wanted)) is not None:
            # Somebody else's flush came between: possible with a plain table only.
            log.warning("firewall: %s; applied once more", difference)
            self._put(nft, policy)
            if (difference := self._check(nft, wanted)) is not None:
                self._back(nft)
                raise FirewallError(f"the rules in force are not those that were sent: {difference}")
        self._last = policy

    def drift(self) -> str | None:
        found = self._nft().listing()
        if found is None:
            return None if self._found is None else "the table is gone"
        if self._last is None:
            return "a table of an earlier process is in force"
        if found == self._found:
            return None
        wanted = ruleset.chains(self._last, fwmark=self._fwmark)
        return readback.difference(wanted, found) or "the rules are equal but not those that were applied"

    def kind(self) -> PolicyKind:
        found = self._nft().listing()
        return PolicyKind.OPEN if found is None else readback.kind_in_force(found)

    def close(self) -> None:
        self._context = None
        self._ours = False

    def _nft(self) -> Nft:
        if self._context is None:
            self._context = Nft()
        return self._context

    def _put(self, nft: Nft, policy: FirewallPolicy) -> None:
        if isinstance(policy, Open):
            nft.remove()
            self._ours = False
        elif self._may_own and nft.claim():
            self._fill(nft, policy)
        else:
            nft.run(ruleset.render(policy, fwmark=self._fwmark))

    def _fill(self, nft: Nft, policy: FirewallPolicy) -> None:
        """Replace what is in the owned table: empty when just made, an earlier version's when just adopted."""
        present = () if self._ours else readback.contents(nft.listing() or ())
        try:
            nft.run(ruleset.render_within(policy, fwmark=self._fwmark, present=present))
        except FirewallError:
            if not self._ours and not present:
                nft.remove()
            raise
        self._ours = True

    def _check(self, nft: Nft, wanted: tuple[ruleset.Chain, ...]) -> str | None:
        self._found = nft.listing()
        if self._found is None:
            return "the table is gone" if wanted else None
        return readback.difference(wanted, self._found) if wanted else "the table is still there"

    def _back(self, nft: Nft) -> None:
        """Put the last policy back, as well as that goes."""
        self._ours = False
        if self._last is not None:
            try:
                self._put(nft, self._last)
                self._found = nft.listing()
            except FirewallError as error:
                log.error("firewall: the last policy could not be put back: %s", error)  # noqa: TRY400 (no trace for users)
