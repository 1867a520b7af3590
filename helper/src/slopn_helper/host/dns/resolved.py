"""DNS by systemd-resolved: settings of our link over D-Bus (org.freedesktop.resolve1(5)).

The settings belong to the interface's index: they survive a restart of resolved and die with the TUN device, so they
are made on every `apply`.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from slopn_helper.host.dns import DnsError, bus
from slopn_helper.host.dns.bus import Service
from slopn_helper.host.journal import Journal, ResolvedRevert
from slopn_wire.profile import DnsConfig, IPAddress

log = logging.getLogger(__name__)

MANAGER = Service(
    "resolved", "org.freedesktop.resolve1", "/org/freedesktop/resolve1", "org.freedesktop.resolve1.Manager"
)
LINK = "org.freedesktop.resolve1.Link"
LINKS = Path("/run/systemd/resolve/netif")
"""Where resolved keeps each link's settings over a restart, by the link's index."""


class ResolvedDns:
    """A `DnsConfigurator` by systemd-resolved."""

    name = "resolved"
    supports_split = True

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._applied: tuple[str, DnsConfig] | None = None

    async def apply(self, interface: str, config: DnsConfig) -> None:
        """Make `config` the DNS of our link, and of all names unless `config.match` says which. Raises `DnsError`."""
        if not config.servers:
            await self.reset()
            return
        index = _index(interface)
        if index is None:
            raise DnsError(f"resolved: there is no interface {interface}")
        try:
            self._journal.record(ResolvedRevert(interface))
        except OSError as error:
            raise DnsError(f"resolved: the journal can't be written, so nothing is changed: {error}") from error
        servers = [_packed(server) for server in config.servers]
        async with bus.connection(MANAGER.word) as link:
            await bus.call(link, MANAGER, "SetLinkDNS", "ia(iay)", index, servers)
            await bus.call(link, MANAGER, "SetLinkDomains", "ia(sb)", index, [list(d) for d in domains(config)])
            await bus.call(link, MANAGER, "SetLinkDefaultRoute", "ib", index, not config.match)
            for member, value in (("SetLinkLLMNR", "no"), ("SetLinkMulticastDNS", "no"), ("SetLinkDNSOverTLS", "no")):
                # Nobody beyond the tunnel answers multicast, and a host-wide DNS over TLS would ask the profile's
                # resolver for what few of them speak; the tunnel encrypts already. Old versions lack some of them.
                with contextlib.suppress(DnsError):
                    await bus.call(link, MANAGER, member, "is", index, value)
            await bus.call(link, MANAGER, "FlushCaches")
        self._applied = interface, config

    async def reset(self) -> None:
        """Take back what we told resolved, without knowing what that was. Raises `DnsError`."""
        self._applied = None
        for entry in self._journal.entries():
            if isinstance(entry, ResolvedRevert):
                try:
                    await undo(entry)
                    self._journal.forget(entry.key)
                except OSError as error:
                    raise DnsError(f"resolved: {error}") from error

    async def drift(self) -> str | None:
        """None when our link's DNS is what was last applied; else a short description of the difference."""
        if self._applied is None:
            return None
        interface, config = self._applied
        index = _index(interface)
        if index is None:
            return f"the interface {interface} is gone"
        async with bus.connection(MANAGER.word) as link:
            (path,) = await bus.call(link, MANAGER, "GetLink", "i", index)
            ours = MANAGER._replace(path=str(path), interface=LINK)
            found = {name: await bus.get(link, ours, name) for name in ("DNS", "Domains", "DefaultRoute")}
        servers = [ip_address(bytes(packed)) for _, packed in found["DNS"]]
        if servers != list(config.servers):
            return f"resolved asks {', '.join(map(str, servers)) or 'nobody'} through {interface}"
        if {tuple(d) for d in found["Domains"]} != set(domains(config)):
            return f"resolved has other domains for {interface}"
        if found["DefaultRoute"] is not (not config.match):
            return f"resolved's default route through {interface} has changed"
        return None


def domains(config: DnsConfig) -> tuple[tuple[str, bool], ...]:
    """The link's domains as resolved wants them: the name, and whether it only routes (True) or is searched too.

    `.` routes everything, which beats the other links' default routes.
    """
    routing = [(name, True) for name in config.match] or [(".", True)]
    return tuple(dict([*routing, *((name, False) for name in config.search)]).items())


async def is_running() -> bool:
    """Whether resolved is on the system bus. No bus counts as no."""
    return await bus.is_running(MANAGER)


async def servers(without: str) -> tuple[IPAddress, ...]:
    """The servers that resolved has for itself and all links but the interface `without`. Raises `DnsError`."""
    async with bus.connection(MANAGER.word) as link:
        found = await bus.get(link, MANAGER, "DNS")
    skipped = _index(without)
    return tuple(dict.fromkeys(ip_address(bytes(packed)) for index, _, packed in found if index != skipped))


async def undo(entry: ResolvedRevert) -> None:
    """Revert the settings of our link; nothing to do when the interface is gone. Raises `DnsError`, `OSError`.

    Without resolved the file is removed from which the next one would learn them.
    """
    index = _index(entry.interface)
    if index is None:
        return
    if not await is_running():
        (LINKS / str(index)).unlink(missing_ok=True)
        return
    async with bus.connection(MANAGER.word) as link:
        await bus.call(link, MANAGER, "RevertLink", "i", index)
        await bus.call(link, MANAGER, "FlushCaches")


def _index(interface: str) -> int | None:
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return None


def _packed(server: IPAddress) -> list[Any]:
    return [socket.AF_INET if server.version == 4 else socket.AF_INET6, server.packed]
