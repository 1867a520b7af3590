"""The kill switch on Windows: one transaction replaces all of our filters.

Nothing here runs at the end of the process: static filters stay in force until another policy is applied, somebody asks for
their removal by `undo`, or the computer ends; in mode `always` those that a host without a tunnel needs come back with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from slopn_helper.host.firewall import FirewallError
from slopn_helper.host.firewall.policy import FirewallPolicy, Open
from slopn_helper.host.firewall.wfp.filters import PROVIDER, Filter, Lifetime, Seen, seen
from slopn_helper.host.firewall.wfp.plan import Us, interface_of, plan
from slopn_helper.host.inverses import RemoveWfpFilters
from slopn_helper.host.journal import Journal

log = logging.getLogger(__name__)

INVERSE = RemoveWfpFilters(str(PROVIDER))


class Platform(Protocol):
    """What is asked of Windows; calls block. All raise `FirewallError`."""

    def replace(self, filters: Sequence[Filter]) -> None:
        """In one transaction: remove all of ours, and put these in force; with none also our provider and sublayer."""

    def present(self) -> frozenset[Seen]:
        """All of ours that there are, whoever put them there."""
        ...

    def identity(self, program: str) -> bytes:
        """How Windows calls the program at this path."""
        ...

    def luid(self, interface: str) -> int:
        """The LUID of the interface of this name."""
        ...


class WfpFirewall:
    """`Firewall` by the Windows Filtering Platform. `program` is the path of the helper's own program."""

    def __init__(self, journal: Journal, platform: Platform, program: str) -> None:
        self._journal = journal
        self._platform = platform
        self._program = program
        self._policy: FirewallPolicy = Open()
        self._persist = False
        self._wanted: tuple[Filter, ...] = ()
        self._turn = asyncio.Lock()
        self.unguarded: str | None = None
        """Why programs pass the closed policy in force; None: none does that isn't a driver."""

    async def apply(self, policy: FirewallPolicy, *, persist: bool) -> None:
        """See `Firewall.apply`."""
        async with self._turn:
            if not isinstance(policy, Open):
                try:
                    self._journal.record(INVERSE)
                except OSError as error:
                    # `undo` needs no journal: a full disk is no reason to leave the host open.
                    log.warning("firewall: the journal can't be written: %s", error)
            await asyncio.to_thread(self._apply, policy, persist=persist)
            if isinstance(policy, Open):
                self._journal.forget(INVERSE.key)

    async def drift(self) -> str | None:
        """See `Firewall.drift`. A tunnel's interface that was made anew is a difference: the filters know the old one."""
        async with self._turn:
            return await asyncio.to_thread(self._drift)

    async def links_changed(self) -> None:
        """Filters hold for every interface: nothing is to be done for one that has come."""

    async def changes(self) -> AsyncIterator[str]:
        """Windows lets administrators alone change our filters; what they do is found by `drift`. Never yields, never ends."""
        await asyncio.Event().wait()
        yield ""

    def _apply(self, policy: FirewallPolicy, *, persist: bool) -> None:
        wanted = self._planned(policy, persist=persist)
        self._platform.replace(wanted)
        if (wrong := _difference(wanted, self._platform.present())) is not None:
            self._platform.replace(self._wanted)
            raise FirewallError(f"Windows holds other filters than it was given: {wrong}")
        self._policy, self._persist, self._wanted = policy, persist, wanted

    def _drift(self) -> str | None:
        try:
            wanted = self._planned(self._policy, persist=self._persist)
        except FirewallError as error:
            return str(error)
        return _difference(wanted, self._platform.present())

    def _planned(self, policy: FirewallPolicy, *, persist: bool) -> tuple[Filter, ...]:
        if isinstance(policy, Open):
            return ()
        name = interface_of(policy)
        us = Us(self._platform.identity(self._program), None if name is None else self._platform.luid(name))
        try:
            return plan(policy, us, persist=persist)
        except ValueError as error:
            raise FirewallError(str(error)) from error


def undo(platform: Platform) -> None:
    """Open the host: remove all of ours, whoever put it there. Raises `FirewallError`."""
    platform.replace(())


def _difference(wanted: Sequence[Filter], present: frozenset[Seen]) -> str | None:
    """One filter that is missing or too many, in words. What is kept for the next boot isn't in force, and isn't looked at."""
    now = [each for each in wanted if each.lifetime is not Lifetime.BOOT]
    for each in now:
        if seen(each) not in present:
            return f"missing: {each}"
    if extra := {each for each in present if not each.flags & Lifetime.BOOT} - set(map(seen, now)):
        return f"left over: the filter {min(str(each.key) for each in extra)}"
    return None
