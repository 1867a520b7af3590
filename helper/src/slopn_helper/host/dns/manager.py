"""The host's DNS as the helper sees it: one configurator that chooses its mechanism on every `apply`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from slopn_helper.host.dns import (
    DnsConfigurator,
    DnsError,
    check,
    detect,
    networkmanager,
    resolvconf,
    resolved,
    upstream,
    watch,
)
from slopn_helper.host.dns.check import Finding
from slopn_helper.host.dns.detect import Choice, DnsEnv
from slopn_helper.host.dns.networkmanager import NetworkManagerDns
from slopn_helper.host.dns.resolv_conf import RESOLV_CONF, ResolvConfDns
from slopn_helper.host.dns.resolvconf import ResolvconfDns
from slopn_helper.host.dns.resolved import ResolvedDns
from slopn_helper.host.journal import Journal
from slopn_wire.profile import DnsConfig, IPAddress

log = logging.getLogger(__name__)

NSSWITCH = Path("/etc/nsswitch.conf")
MOUNTS = Path("/proc/self/mountinfo")
SETTLE = 1.0
"""Seconds after which a host that seems to be ruled by another mechanism is looked at again: daemons restart."""


class DnsManager:
    """A `DnsConfigurator` over the mechanisms of a Linux host.

    `name` is the mechanism in use or `none`, `supports_split` is its own. `override` names a mechanism (the setting
    `dns_mechanism`) and may be changed at any time. `guard()` must run for as long as the helper does, and each word of
    `changes()` is a reason to ask for `drift()` at once.
    """

    def __init__(self, journal: Journal, resolv_conf: Path = RESOLV_CONF) -> None:
        self.name = "none"
        self.override: str | None = None
        self._journal = journal
        self._resolv_conf = resolv_conf
        self._file = ResolvConfDns(journal, resolv_conf)
        self._mechanisms: dict[str, DnsConfigurator] = {
            detect.RESOLVED: ResolvedDns(journal),
            detect.NETWORKMANAGER: NetworkManagerDns(journal, resolv_conf),
            detect.RESOLVCONF: ResolvconfDns(journal, resolv_conf),
            self._file.name: self._file,
        }
        self._current: DnsConfigurator | None = None
        self._choice: Choice | None = None

    @property
    def supports_split(self) -> bool:
        """Whether the mechanism in use can send only some names to the tunnel."""
        return self._current is not None and self._current.supports_split

    async def apply(self, interface: str, config: DnsConfig) -> None:
        """Make `config` the host's DNS by the mechanism that rules it now. Raises `DnsError`.

        Where NetworkManager or resolvconf refuses, or isn't obeyed, the file is written and guarded instead.
        """
        if not config.servers:
            await self.reset()
            return
        choice = await self.choice()
        if choice != self._choice:
            log.info("dns: %s", choice.trace)
        self._choice = choice
        try:
            await self._apply(self._mechanisms[choice.mechanism], interface, config)
        except DnsError as error:
            if choice.mechanism not in {detect.NETWORKMANAGER, detect.RESOLVCONF}:
                raise
            log.warning("dns: %s; the file is written instead", error)
            await self._apply(self._mechanisms[detect.RESOLV_CONF], interface, config)

    async def reset(self) -> None:
        """Remove all of ours, whichever mechanism made it. Raises `DnsError` after having tried all."""
        self._use(None)
        failed: list[str] = []
        # The file last: it was written over what the others had made.
        for mechanism in self._mechanisms.values():
            try:
                await mechanism.reset()
            except DnsError as error:
                failed.append(str(error))
        if failed:
            raise DnsError("; ".join(failed))

    async def drift(self) -> str | None:
        """None when the host's DNS is what was last applied, by what rules it now; else what is different."""
        if self._current is None:
            return None
        if (ruler := await self._other_ruler()) is not None:
            await asyncio.sleep(SETTLE)
            if await self._other_ruler() == ruler:
                return f"this host's DNS is in the hands of {ruler} now"
        return await self._current.drift()

    async def changes(self) -> AsyncIterator[str]:
        """A word each time that somebody may have changed DNS, or the machine has slept. Never ends."""
        async for word in watch.changes():
            yield word

    async def guard(self) -> None:
        """Keep what was applied in force against other programs. Runs until cancelled."""
        await self._file.guard()

    async def check(self, interface: str, config: DnsConfig, *, blocked: bool) -> Finding | None:
        """Whether names resolve, and through the tunnel alone; None: they do. Takes up to `check.TIMEOUT` seconds.

        `blocked` says that the firewall refuses port 53 beside the tunnel.
        """
        return await check.look(
            interface, config, self._asked(), split=self.supports_split and bool(config.match), blocked=blocked
        )

    async def choice(self) -> Choice:
        """Which mechanism would be used now, and why."""
        target, text = upstream.original(self._journal, self._resolv_conf)
        there = await resolvconf.installed()
        env = DnsEnv(
            resolv_conf=text,
            target=None if target is None else str(target),
            nsswitch=upstream.read(NSSWITCH),
            resolved_on_bus=await resolved.is_running(),
            nm=await networkmanager.facts(),
            resolvconf=there.flavour if there else None,
            mounted=_is_mounted(self._resolv_conf),
        )
        return detect.choose(env, self.override)

    async def upstream(self, interface: str) -> tuple[IPAddress, ...]:
        """The resolvers that the host had before us, for the names of endpoints. Never those of `interface`."""
        return await upstream.upstream(self._journal, interface, self._resolv_conf)

    async def _apply(self, chosen: DnsConfigurator, interface: str, config: DnsConfig) -> None:
        for other in self._mechanisms.values():
            if other is not chosen:
                try:
                    await other.reset()
                except DnsError as error:
                    # It isn't the one that is asked any more; its inverse stays in the journal.
                    log.warning("dns: %s", error)
        self._use(chosen)
        await chosen.apply(interface, config)

    async def _other_ruler(self) -> str | None:
        choice = await self.choice()
        return None if self._choice is None or choice.mechanism == self._choice.mechanism else choice.mechanism

    def _asked(self) -> tuple[str, ...]:
        """Whom this host's programs ask."""
        if self.name == detect.RESOLVED and detect.asks_resolved_first(upstream.read(NSSWITCH)):
            return (check.STUB,)
        return tuple(detect.nameservers(upstream.read(self._resolv_conf) or ""))

    def _use(self, mechanism: DnsConfigurator | None) -> None:
        self._current = mechanism
        self.name = mechanism.name if mechanism else "none"


def _is_mounted(path: Path) -> bool:
    """proc_pid_mountinfo(5): the fifth field is where it is mounted."""
    lines = (upstream.read(MOUNTS) or "").splitlines()
    return any(line.split()[4:5] == [str(path)] for line in lines)
