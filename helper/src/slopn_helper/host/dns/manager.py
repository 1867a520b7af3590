"""The host's DNS as the helper sees it: one configurator that chooses its mechanism on every `apply`."""

from __future__ import annotations

import logging
from pathlib import Path

from slopn_helper.host.dns import DnsConfigurator, DnsError, detect, resolved, upstream
from slopn_helper.host.dns.detect import Choice, DnsEnv
from slopn_helper.host.dns.resolv_conf import RESOLV_CONF, ResolvConfDns
from slopn_helper.host.dns.resolved import ResolvedDns
from slopn_helper.host.journal import Journal
from slopn_wire.profile import DnsConfig, IPAddress

log = logging.getLogger(__name__)

NSSWITCH = Path("/etc/nsswitch.conf")


class DnsManager:
    """A `DnsConfigurator` over the mechanisms of a Linux host.

    `name` is the mechanism in use or `none`, `supports_split` is its own. `override` names a mechanism (the setting `dns_mechanism`) and may be changed at any time. `guard()` must run for as
    long as the helper does.
    """

    def __init__(self, journal: Journal, resolv_conf: Path = RESOLV_CONF) -> None:
        self.name = "none"
        self.supports_split = False
        self.override: str | None = None
        self._journal = journal
        self._resolv_conf = resolv_conf
        self._file = ResolvConfDns(journal, resolv_conf)
        self._mechanisms: dict[str, DnsConfigurator] = {
            detect.RESOLVED: ResolvedDns(journal),
            self._file.name: self._file,
        }
        self._current: DnsConfigurator | None = None
        self._choice: Choice | None = None

    async def apply(self, interface: str, config: DnsConfig) -> None:
        """Make `config` the host's DNS by the mechanism that rules it now. Raises `DnsError`."""
        if not config.servers:
            await self.reset()
            return
        choice = await self.choice()
        if choice != self._choice:
            log.info("dns: %s", choice.trace)
        self._choice = choice
        chosen = self._mechanisms[choice.mechanism]
        for other in self._mechanisms.values():
            if other is not chosen:
                try:
                    await other.reset()
                except DnsError as error:
                    # It isn't the one that is asked any more; its inverse stays in the journal.
                    log.warning("dns: %s", error)
        self._use(chosen)
        await chosen.apply(interface, config)

    async def reset(self) -> None:
        """Remove all of ours, whichever mechanism made it. Raises `DnsError` after having tried all."""
        self._use(None)
        failed: list[str] = []
        for mechanism in self._mechanisms.values():
            try:
                await mechanism.reset()
            except DnsError as error:
                failed.append(str(error))
        if failed:
            raise DnsError("; ".join(failed))

    async def drift(self) -> str | None:
        """None when the host's DNS is what was last applied; else a short description of the difference."""
        return await self._current.drift() if self._current else None

    async def guard(self) -> None:
        """Keep what was applied in force against other programs. Runs until cancelled."""
        await self._file.guard()

    async def choice(self) -> Choice:
        """Which mechanism would be used now, and why."""
        target, text = upstream.original(self._journal, self._resolv_conf)
        env = DnsEnv(
            resolv_conf=text,
            target=None if target is None else str(target),
            nsswitch=upstream.read(NSSWITCH),
            resolved_on_bus=await resolved.is_running(),
        )
        return detect.choose(env, self.override)

    async def upstream(self, interface: str) -> tuple[IPAddress, ...]:
        """The resolvers that the host had before us, for the names of endpoints. Never those of `interface`."""
        return await upstream.upstream(self._journal, interface, self._resolv_conf)

    def _use(self, mechanism: DnsConfigurator | None) -> None:
        self._current = mechanism
        self.name = mechanism.name if mechanism else "none"
        self.supports_split = mechanism is not None and mechanism.supports_split
