"""DNS by NetworkManager's global configuration over D-Bus, where NetworkManager writes /etc/resolv.conf.

Setting `GlobalDnsConfiguration` (org.freedesktop.NetworkManager) beats the servers of all connections, at once, and is
kept in NetworkManager's state file: it outlives a crash of either of us. Reapply on our interface would be the other
way; it strips the address of a TUN that NetworkManager hasn't made. Ours bears a domain by which it is known as ours.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from dbus_fast import Variant
from dbus_fast.aio import MessageBus
from dbus_fast.unpack import unpack_variants

from slopn_helper.host import files
from slopn_helper.host.dns import DnsError, bus, intern_conf
from slopn_helper.host.dns.bus import Service
from slopn_helper.host.dns.detect import nameservers
from slopn_helper.host.dns.intern_conf import MARK, STATE
from slopn_helper.host.dns.resolv_conf import RESOLV_CONF
from slopn_helper.host.journal import DomainDns, Journal, NetworkManagerWas
from slopn_wire.profile import DnsConfig, IPAddress

log = logging.getLogger(__name__)

MANAGER = Service(
    "networkmanager",
    "org.freedesktop.NetworkManager",
    "/org/freedesktop/NetworkManager",
    "org.freedesktop.NetworkManager",
)
DNS = MANAGER._replace(
    path="/org/freedesktop/NetworkManager/DnsManager", interface="org.freedesktop.NetworkManager.DnsManager"
)
GLOBAL = "GlobalDnsConfiguration"
SPLITTING = "dnsmasq"
"""The mode in which each domain goes to its own servers; in `default` only those of `*` are written."""
RELOAD_FILE = 0x02
"""Reload's flag: write resolv.conf again, though nothing has changed."""
LISTED = 3
"""Servers that NetworkManager writes into resolv.conf at most, as glibc asks no more."""


class GlobalDns(NamedTuple):
    """The global configuration. `domains` is empty where there is none."""

    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    domains: Mapping[str, DomainDns] = {}

    @property
    def ours(self) -> bool:
        """Whether we have made it, in this life or an earlier one."""
        return MARK in self.domains


class NetworkManagerDns:
    """A `DnsConfigurator` by NetworkManager. `supports_split` is known after `apply`: it is the mode's."""

    name = "networkmanager"

    def __init__(self, journal: Journal, resolv_conf: Path = RESOLV_CONF) -> None:
        self.supports_split = False
        self._journal = journal
        self._resolv_conf = resolv_conf
        self._applied: DnsConfig | None = None

    async def apply(self, interface: str, config: DnsConfig) -> None:  # noqa: ARG002 (it is set for the host as a whole)
        """Make `config` the global configuration, its inverse first. Raises `DnsError`."""
        if not config.servers:
            await self.reset()
            return
        async with bus.connection(MANAGER.word) as link:
            self.supports_split = await bus.get(link, DNS, "Mode") == SPLITTING
            if config.match and not self.supports_split:
                log.warning("dns: NetworkManager splits only with dnsmasq: all names go to the tunnel's servers")
            before = parse(await bus.get(link, MANAGER, GLOBAL))
            self._remember(before)
            wish = await self._wish(link, config)
            if before != wish:
                await _set(link, wish)
            if self._unheard(config):
                # Somebody else wrote the file since: NetworkManager sees nothing to do by itself.
                await bus.call(link, MANAGER, "Reload", "u", RELOAD_FILE)
        if why := self._unheard(config):
            raise DnsError(f"networkmanager: it has taken the servers, but {why}")
        self._applied = config

    async def reset(self) -> None:
        """Give back the global configuration that was there before us. Raises `DnsError`."""
        self._applied = None
        entry = self._journal.find(NetworkManagerWas().key)
        if not isinstance(entry, NetworkManagerWas):
            if not intern_conf.is_ours(STATE):
                return
            entry = NetworkManagerWas()  # the journal is lost: no global configuration is what nearly everybody has
        try:
            await undo(entry, self._resolv_conf)
            self._journal.forget(entry.key)
        except OSError as error:
            raise DnsError(f"networkmanager: {error}") from error

    async def drift(self) -> str | None:
        """None when NetworkManager has what was last applied and the file shows it; else the difference."""
        config = self._applied
        if config is None:
            return None
        async with bus.connection(MANAGER.word) as link:
            found = parse(await bus.get(link, MANAGER, GLOBAL))
            wish = await self._wish(link, config)
        if not found.domains:
            return "NetworkManager has lost the tunnel's servers"
        if found != wish:
            asked = ", ".join(found.domains.get("*", DomainDns()).servers) or "nobody"
            return (
                f"NetworkManager asks {asked}" if found.domains != wish.domains else "NetworkManager searches elsewhere"
            )
        return self._unheard(config)

    async def _wish(self, link: MessageBus, config: DnsConfig) -> GlobalDns:
        uplinks: tuple[IPAddress, ...] = ()
        if config.match and self.supports_split:
            uplinks = _uplinks(await bus.get(link, DNS, "Configuration"))
        return wish(config, uplinks)

    def _remember(self, before: GlobalDns) -> None:
        """A configuration of the user's is the one to come back, also one that was set while ours was in force."""
        known = self._journal.find(NetworkManagerWas().key)
        try:
            if not before.ours:
                text = intern_conf.read(self._resolv_conf)
                if isinstance(known, NetworkManagerWas):
                    text = known.resolv_conf
                self._journal.replace(NetworkManagerWas(before.searches, before.options, dict(before.domains), text))
            elif known is None:
                self._journal.record(NetworkManagerWas())
        except OSError as error:
            raise DnsError(f"networkmanager: the journal can't be written, so nothing is changed: {error}") from error

    def _unheard(self, config: DnsConfig) -> str | None:
        """Why programs that read resolv.conf don't ask as they should; None when they do."""
        asked = nameservers((intern_conf.read(self._resolv_conf) or b"").decode("utf-8", "replace"))
        if asked and asked == ["127.0.0.1"] and self.supports_split:
            return None
        wanted = [str(server) for server in config.servers[:LISTED]]
        if asked[: len(wanted)] == wanted:
            return None
        return f"{self._resolv_conf} names {', '.join(asked[:LISTED]) or 'nobody'}"


def wish(config: DnsConfig, uplinks: Sequence[IPAddress] = ()) -> GlobalDns:
    """What the global configuration must be for `config`. Pure.

    With `match` and `uplinks`, the host's own servers, only what matches goes to the tunnel's.
    """
    ours = DomainDns(tuple(map(str, config.servers)))
    domains = {MARK: ours}
    if config.match and uplinks:
        domains |= {"*": DomainDns(tuple(map(str, uplinks))), **dict.fromkeys(config.match, ours)}
    else:
        domains["*"] = ours
    return GlobalDns(config.search, (), domains)


def parse(value: Mapping[str, Any]) -> GlobalDns:
    """The property's value, variants and all, as NetworkManager sends it."""
    plain = unpack_variants(dict(value))
    domains = {
        str(name): DomainDns(tuple(domain.get("servers", ())), tuple(domain.get("options", ())))
        for name, domain in plain.get("domains", {}).items()
    }
    return GlobalDns(tuple(plain.get("searches", ())), tuple(plain.get("options", ())), domains)


def build(config: GlobalDns) -> Variant:
    """The property's value for `config`; an empty one removes it."""
    if not config.domains and not config.searches and not config.options:
        return Variant("a{sv}", {})
    domains = {
        name: Variant("a{sv}", {"servers": _strings(domain.servers), "options": _strings(domain.options)})
        for name, domain in config.domains.items()
    }
    value = {
        "searches": _strings(config.searches),
        "options": _strings(config.options),
        "domains": Variant("a{sv}", domains),
    }
    return Variant("a{sv}", value)


async def facts() -> tuple[str, str] | None:
    """NetworkManager's mode (`default`, `dnsmasq`, `none`…) and how it writes resolv.conf; None: it isn't there."""
    try:
        async with bus.connection(MANAGER.word) as link:
            if not await bus.owned(link, MANAGER):
                return None
            return str(await bus.get(link, DNS, "Mode")), str(await bus.get(link, DNS, "RcManager"))
    except DnsError as error:
        log.debug("dns: %s", error)
        return None


async def servers() -> tuple[IPAddress, ...]:
    """The servers that the host's connections have brought, whatever the global configuration is. Raises `DnsError`."""
    async with bus.connection(MANAGER.word) as link:
        return _uplinks(await bus.get(link, DNS, "Configuration"))


async def undo(entry: NetworkManagerWas, resolv_conf: Path = RESOLV_CONF) -> None:
    """Give back what was there before us, unless somebody else has set another since. Raises `DnsError`, `OSError`.

    Where NetworkManager is gone its files are put right, so that neither the next one nor a program finds our servers.
    """
    was = GlobalDns(entry.searches, entry.options, entry.domains)
    if await bus.is_running(MANAGER):
        async with bus.connection(MANAGER.word) as link:
            if parse(await bus.get(link, MANAGER, GLOBAL)).ours:
                await _set(link, was)
    else:
        intern_conf.give_back_file(STATE, resolv_conf, entry.resolv_conf)
    # A configuration file of the administrator's hides ours, and NetworkManager then leaves it where it is.
    intern_conf.give_back(STATE, entry)
    # Before the journal forgets it: NetworkManager syncs neither.
    for path in (STATE, resolv_conf):
        if path.parent.is_dir():
            files.settle(path)


def _uplinks(configuration: Any) -> tuple[IPAddress, ...]:
    found: dict[IPAddress, None] = {}
    for one in unpack_variants(configuration):
        for name in one.get("nameservers", ()) if one.get("interface") else ():
            try:
                found[ip_address(name)] = None
            except ValueError:
                continue  # a URI, for DNS over TLS
    return tuple(found)


async def _set(link: MessageBus, config: GlobalDns) -> None:
    setter = MANAGER._replace(interface=bus.PROPERTIES)
    await bus.call(link, setter, "Set", "ssv", MANAGER.interface, GLOBAL, build(config))


def _strings(words: Sequence[str]) -> Variant:
    return Variant("as", list(words))
