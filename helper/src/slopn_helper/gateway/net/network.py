"""Puts a policy in force: the table first, then the forwarding that it is for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from slopn_helper.gateway import sysctls
from slopn_helper.gateway.net import GatewayNetError, rules
from slopn_helper.gateway.net.policy import GatewayNetPolicy, Refusal
from slopn_helper.gateway.net.readback import Count
from slopn_helper.gateway.net.script import FAMILY, TABLE
from slopn_helper.gateway.net.table import Table
from slopn_helper.host.journal import Journal, RemoveNftTable

log = logging.getLogger(__name__)

_T = TypeVar("_T")


class GatewayNet:
    """The host's network as devices meet it. Lets nobody in by itself: that is the engine's, after `apply` has returned.

    Works in a thread of its own, which stays in the network namespace of the first call. `owned` as in `Table`.
    """

    def __init__(self, journal: Journal, *, owned: bool = True) -> None:
        self._journal = journal
        self._table = Table(owned=owned)
        self._policy: GatewayNetPolicy | None = None
        self._thread = ThreadPoolExecutor(1, "gateway-net")

    async def apply(self, policy: GatewayNetPolicy | None) -> None:
        """Put exactly `policy` in force, in one transaction, and read it back; None removes all of ours. Idempotent.

        Raises `GatewayNetError`: then the last policy is in force, or if there was none nothing passes between devices and
        anybody, as far as the kernel takes that much; forwarding isn't turned on, and no device must be let in.
        """
        await self._in_thread(self._remove if policy is None else lambda: self._apply(policy))

    async def drift(self) -> str | None:
        """None when the host is as it was left; else a short description of the difference. Raises `GatewayNetError`."""
        return await self._in_thread(self._drift)

    async def counts(self) -> dict[Refusal, Count]:
        """What was refused, by reason, since the table was made; reasons are there that never occurred.

        Empty without a table. Raises `GatewayNetError`.
        """
        return await self._in_thread(self._table.counts)

    def close(self) -> None:
        """End the thread. The policy stays in force, and the forwarding on: other programs may rely on it by now."""
        self._thread.submit(self._table.close).result()
        self._thread.shutdown()

    def _apply(self, policy: GatewayNetPolicy) -> None:
        try:
            wanted = rules.chains(policy)
        except ValueError as error:
            raise GatewayNetError(f"this policy can't be put into rules: {error}") from error
        try:
            self._journal.record(RemoveNftTable(FAMILY, TABLE))
        except OSError as error:
            raise GatewayNetError(f"the journal can't be written, so nothing is changed: {error}") from error
        try:
            self._table.put(wanted)
        except GatewayNetError as error:
            raise GatewayNetError(f"{error}; {self._otherwise(policy)}") from error
        self._policy = policy
        sysctls.apply(policy, self._journal)

    def _otherwise(self, policy: GatewayNetPolicy) -> str:
        if self._policy is not None:
            return "the rules of before hold"
        try:
            self._table.put(rules.closed(policy.interfaces))
        except GatewayNetError as error:
            log.error("gateway: not even the rules that close everything could be applied: %s", error)  # noqa: TRY400 (no trace for users)
            return "no rules are in force, so no device may be let in"
        return "nothing passes to or from devices"

    def _remove(self) -> None:
        # Forwarding ends before what guards it.
        sysctls.undo(self._journal)
        self._table.remove()
        self._journal.forget(RemoveNftTable(FAMILY, TABLE).key)
        self._policy = None

    def _drift(self) -> str | None:
        if self._policy is None:
            return None
        if (difference := self._table.drift()) is not None:
            return difference
        changed = sysctls.missing(self._policy)
        return f"{changed[0].name} is {changed[0].value} instead of {changed[0].ours}" if changed else None

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
