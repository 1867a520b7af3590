"""Looks that take seconds, beside the tunnel: who answers for names, and whether a captive portal stands in the way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from slopn_helper.health import warning
from slopn_helper.host.portal import Found, Verdict
from slopn_helper.hub import Hub
from slopn_helper.tunnel.policy import failing
from slopn_wire.events import PolicyKind, Snapshot, Warning  # noqa: A004 - the health list's word
from slopn_wire.profile import DnsConfig
from slopn_wire.settings import KillSwitchMode
from slopn_wire.state import Connected

DNS_EVERY = 60.0
"""Seconds between two looks at who answers for names, while connected."""
PORTAL_EVERY = 10.0
"""Seconds between two looks for a captive portal, while connecting fails."""
PORTAL_THERE_EVERY = 3.0
"""Seconds between two looks whether a captive portal lets through by now."""


class Dns(Protocol):
    """What is asked who answers for names."""

    async def check(self, interface: str, config: DnsConfig, *, blocked: bool) -> tuple[str, str] | None:
        """A code of the health list and what to fill in, if names don't resolve through the tunnel alone. Takes seconds."""


class PortalCheck(Protocol):
    """Looks for a captive portal, where the core has last said."""

    async def __call__(self) -> Verdict | None:
        """Takes seconds. None: there is nobody to ask."""


class Checks:
    """Looks when the tunnel has come to another state, and from time to time; what is found is in the health list."""

    def __init__(
        self, hub: Hub, dns: Dns, portal: PortalCheck, *, interface: str, portal_gone: Callable[[], None]
    ) -> None:
        """`portal_gone` is called when a captive portal that had been there lets through."""
        self._hub = hub
        self._dns = dns
        self._portal = portal
        self._interface = interface
        self._portal_gone = portal_gone
        self._moved = {self.watch_dns: asyncio.Event(), self.watch_portal: asyncio.Event()}

    def moved(self) -> None:
        """The tunnel has come to another state."""
        for event in self._moved.values():
            event.set()

    async def watch_dns(self) -> None:
        """Look who answers for names while connected. Runs until cancelled."""
        moved = self._moved[self.watch_dns]
        while True:
            moved.clear()
            snapshot = self._hub.snapshot()
            found: tuple[str, str] | None = None
            if isinstance(snapshot.state, Connected) and snapshot.live.dns.servers:
                blocked = snapshot.policy is PolicyKind.TUNNELLED
                found = await self._dns.check(self._interface, snapshot.live.dns, blocked=blocked)
                if self._hub.snapshot().state != snapshot.state:
                    continue
            self._hub.set_checked("dns", () if found is None else (warning(found[0], what=found[1]),))
            await _wait(moved, DNS_EVERY)

    async def watch_portal(self) -> None:
        """Look for a captive portal while connecting fails. Runs until cancelled."""
        moved = self._moved[self.watch_portal]
        there = False
        while True:
            moved.clear()
            snapshot = self._hub.snapshot()
            if not failing(snapshot.state):
                there = False
                self._hub.set_checked("portal", ())
            elif (verdict := await self._portal()) is not None and failing(self._hub.snapshot().state):
                before, there = there, verdict.found is Found.PORTAL
                self._hub.set_checked("portal", (_portal_warning(snapshot, verdict),) if there else ())
                if before and verdict.found is Found.NONE:
                    self._portal_gone()
            await _wait(moved, PORTAL_THERE_EVERY if there else PORTAL_EVERY)


def _portal_warning(snapshot: Snapshot, verdict: Verdict) -> Warning:
    always = snapshot.settings.kill_switch is KillSwitchMode.ALWAYS
    where = "" if verdict.location is None else f" at {verdict.location}"
    return warning("captive_portal_always" if always else "captive_portal", where=where)


async def _wait(moved: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await moved.wait()
