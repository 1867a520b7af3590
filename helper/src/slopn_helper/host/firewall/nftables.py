"""The kill switch on Linux: two nftables tables, swapped together as a whole, owned where the kernel can.

Nothing here runs at the end of the process: a policy stays in force until another one is applied, or until root asks
for its removal by `remove_all`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from slopn_helper.host.firewall import FirewallError, flows, ruleset
from slopn_helper.host.firewall.guard import Guard
from slopn_helper.host.firewall.libnft import Nft
from slopn_helper.host.firewall.policy import FirewallPolicy, Open, Tunnelled
from slopn_helper.host.firewall.tables import Tables
from slopn_helper.host.firewall.waiting import drop_waiting
from slopn_helper.host.firewall.words import plain
from slopn_helper.host.journal import Journal, RemoveNftTable
from slopn_wire.events import PolicyKind
from slopn_wire.profile import IPAddress

log = logging.getLogger(__name__)

_T = TypeVar("_T")

FAMILIES = (ruleset.DEVICE_FAMILY, ruleset.FAMILY)
"""In the order in which the tables go: the last one closes."""
INVERSES = tuple(RemoveNftTable(family, ruleset.TABLE) for family in reversed(FAMILIES))

_PUT_BACK = "somebody has changed the rules; the guard has put them back"


class NftablesFirewall:
    """`Firewall` by nftables, in the network namespace of the thread that first uses it.

    libnftables runs in a thread of its own: its socket owns the tables, and the event loop goes on meanwhile.
    `owned=False` makes plain tables even where the kernel could do better. `guard`: whether others' changes are heard
    of and put back at once; None: where they are possible.
    """

    def __init__(self, journal: Journal, *, fwmark: int, owned: bool = True, guard: bool | None = None) -> None:
        self._journal = journal
        self._tables = Tables(fwmark, owned=owned)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nftables")
        self._forgetting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="flows")
        self._closed = False
        self._may_guard = guard
        self._guard: Guard | None = None
        self._was_changed: str | None = None
        self._asked: frozenset[IPAddress] | None = None
        """The resolvers that guests' queries go to, by the kernel's memory too; None: it may be others'."""
        self._look_waits = False
        self._listeners: set[Callable[[str], None]] = set()

    @property
    def unguarded(self) -> str | None:
        """Why programs with packet sockets pass the closed policy in force, in a sentence; None: they don't."""
        return self._tables.unguarded

    async def apply(self, policy: FirewallPolicy, *, persist: bool) -> None:
        """See `Firewall.apply`. The tables outlive this process until the next boot in any case, so `persist` changes
        nothing here: the boot part is a unit's business.
        """
        del persist
        if not isinstance(policy, Open):
            try:
                self._journal.record(*INVERSES)
            except OSError as error:
                # `remove_all` needs no journal, and a reboot none: a full disk is no reason to leave the host open.
                log.warning("firewall: the journal can't be written: %s", error)
        await self._in_thread(lambda: self._apply(policy))
        if not isinstance(policy, Open):
            await self._close()
        else:
            self._closed = False
            self._journal.forget(*(inverse.key for inverse in INVERSES))

    async def drift(self) -> str | None:
        """See `Firewall.drift`. Before the first `apply`, a table of an earlier process counts as a difference.

        What the guard has put back counts once. A device that has come is guarded, and is no difference.
        """
        return await self._in_thread(self._drift)

    async def links_changed(self) -> None:
        """Guard the devices that have come: to be called when they change, as often as they do; cheap when none has.

        While one look waits to begin, others return at once: it will see what they were called for.
        """
        if self._look_waits:
            return
        self._look_waits = True
        try:
            await self._in_thread(self._look)
        except asyncio.CancelledError:
            self._look_waits = False
            raise
        except FirewallError as error:
            log.warning("firewall: a device that has come isn't guarded against packet sockets yet: %s", error)

    async def changes(self) -> AsyncIterator[str]:
        """What others have done to the rules, a sentence each, once the guard has put them back; never ends."""
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[str] = asyncio.Queue()

        def tell(what: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(heard.put_nowait, what)

        self._listeners.add(tell)
        try:
            while True:
                yield await heard.get()
        finally:
            self._listeners.discard(tell)

    async def in_force(self) -> PolicyKind:
        """What the kernel has, whoever put it there: a helper that starts asks this. Raises `FirewallError`."""
        return await self._in_thread(self._tables.kind)

    def close(self) -> None:
        """End the threads. The policy stays in force; the tables are then nobody's until they are claimed again."""
        self._thread.submit(self._stop_guard).result()
        self._thread.submit(self._tables.close).result()
        self._thread.shutdown()
        self._forgetting.shutdown()

    def _look(self) -> None:
        self._look_waits = False
        self._tables.cover()

    def _apply(self, policy: FirewallPolicy) -> None:
        self._tables.apply(policy)
        self._was_changed = None
        asked = frozenset(map(plain, policy.dns)) if isinstance(policy, Tunnelled) and not policy.only else frozenset()
        if asked != self._asked:
            self._asked = asked
            # The kernel looks through all that it remembers, which takes a while, and nothing waits for it.
            self._forgetting.submit(_forget_dns, asked)
        wanted = self._may_guard if self._may_guard is not None else not self._tables.owned
        if isinstance(policy, Open) or not wanted:
            self._stop_guard()
        elif self._guard is None:
            try:
                names = [(family, ruleset.TABLE) for family in FAMILIES]
                self._guard = Guard(names, self._tables.port, self._changed)
            except OSError as error:
                log.warning("firewall: others' changes are seen at intervals only: %s", error)

    def _stop_guard(self) -> None:
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def _drift(self) -> str | None:
        found = self._tables.drift()
        changed, self._was_changed = self._was_changed, None
        return found or changed

    def _changed(self) -> None:
        """Called by the guard's thread."""
        with contextlib.suppress(RuntimeError):  # the firewall is being closed
            self._thread.submit(self._put_back)

    def _put_back(self) -> None:
        if self._guard is None:
            return
        try:
            self._tables.again()
        except FirewallError as error:
            log.error("firewall: somebody has changed the rules, and they can't be put back: %s", error)  # noqa: TRY400 (no trace for users)
        self._was_changed = _PUT_BACK
        for tell in tuple(self._listeners):
            tell(_PUT_BACK)

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


def _forget_dns(asked: frozenset[IPAddress] = frozenset()) -> None:
    try:
        if forgotten := flows.forget_dns(asked):
            log.info("firewall: %d DNS flows of before were forgotten", forgotten)
    except OSError as error:
        log.warning("firewall: containers that keep their port may ask the resolver of before in vain: %s", error)


async def undo(entry: RemoveNftTable) -> None:
    """Remove the table of a journal's entry. Raises `FirewallError` when a living process owns it."""
    await asyncio.to_thread(lambda: Nft().remove(entry.family, entry.name))
    if entry.family == ruleset.FAMILY:
        await asyncio.to_thread(_forget_dns)


def remove_all() -> None:
    """Open the host: remove all of ours, whoever put it there. For `slopn-helper restore` and `unlock`.

    Raises `FirewallError` while the helper that owns the tables lives: end it first.
    """
    nft = Nft()
    for family in FAMILIES:
        nft.remove(family)
    _forget_dns()
