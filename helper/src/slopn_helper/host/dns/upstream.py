"""The resolvers that the host had before us: who may be asked for an endpoint's name while nothing else may pass."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from slopn_helper.host import files
from slopn_helper.host.dns import DnsError, networkmanager, records, resolved
from slopn_helper.host.dns.detect import nameservers
from slopn_helper.host.dns.resolv_conf import RESOLV_CONF
from slopn_helper.host.journal import DomainDns, FileWas, Journal, NetworkManagerWas, ResolvconfRecord
from slopn_wire.profile import IPAddress

log = logging.getLogger(__name__)

RESOLVED_UPLINKS = Path("/run/systemd/resolve/resolv.conf")
NETWORKMANAGER_UPLINKS = Path("/run/NetworkManager/no-stub-resolv.conf")
"""What NetworkManager has behind a local dnsmasq or resolved."""


async def upstream(journal: Journal, interface: str, resolv_conf: Path = RESOLV_CONF) -> tuple[IPAddress, ...]:
    """The host's own resolvers, best first; never those of our `interface`. Empty: there are none."""
    sources = [parse(await _resolved_links(interface) or read(RESOLVED_UPLINKS))]
    entries = {type(entry): entry for entry in journal.entries()}
    global_dns, record = entries.get(NetworkManagerWas), entries.get(ResolvconfRecord)
    if isinstance(global_dns, NetworkManagerWas):
        # The files name ours while it is in force.
        sources.append(_listed(global_dns.domains.get("*", DomainDns()).servers))
        sources.append(await _connections())
        sources.append(parse((global_dns.resolv_conf or b"").decode("utf-8", "replace")))
    elif isinstance(record, ResolvconfRecord):
        sources += [parse(text) for text in records.others(record.record)]
    else:
        sources.append(parse(original_text(journal, resolv_conf)))
        sources.append(parse(read(NETWORKMANAGER_UPLINKS)))
    return pick(sources)


def pick(sources: Iterable[tuple[IPAddress, ...]]) -> tuple[IPAddress, ...]:
    """The first source with servers beyond this host; else the local ones of all, which is better than none. Pure."""
    local: list[IPAddress] = []
    for servers in sources:
        if far := tuple(server for server in servers if not server.is_loopback):
            return far
        local += servers
    return tuple(dict.fromkeys(local))


def parse(text: str | None) -> tuple[IPAddress, ...]:
    """The servers of a resolv.conf(5), once each.

    Left out: what isn't an address, and link-local ones, whose zone neither a profile nor a firewall rule can carry.
    """
    found: dict[IPAddress, None] = {}
    for word in nameservers(text or ""):
        try:
            server = ip_address(word)
        except ValueError:
            continue
        if not (isinstance(server, IPv6Address) and (server.scope_id or server.is_link_local)):
            found[server] = None
    return tuple(found)


def original_text(journal: Journal, resolv_conf: Path = RESOLV_CONF) -> str | None:
    """The text of resolv.conf as it was before us, through a link where it was one; None: there was none."""
    _, text = original(journal, resolv_conf)
    return text


def original(journal: Journal, resolv_conf: Path = RESOLV_CONF) -> tuple[Path | None, str | None]:
    """Where the file led if it was a link, and its text, both as they were before us."""
    entry = journal.find(FileWas(str(resolv_conf)).key)
    told = journal.find(NetworkManagerWas().key)
    if entry is None and isinstance(told, NetworkManagerWas) and told.resolv_conf is not None:
        target = resolv_conf.resolve() if resolv_conf.is_symlink() else None
        return target, told.resolv_conf.decode("utf-8", "replace")
    try:
        found = entry if isinstance(entry, FileWas) else files.snapshot(resolv_conf)
    except OSError as error:
        log.warning("dns: %s can't be read: %s", resolv_conf, error)
        return None, None
    if found.link is not None:
        target = (resolv_conf.parent / found.link).resolve()
        return target, read(target)
    return None, None if found.content is None else found.content.decode("utf-8", "replace")


def read(path: Path) -> str | None:
    """The file's text, or None when it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


async def _resolved_links(interface: str) -> str | None:
    """Its file lists our own link's servers among the others while we are connected; over the bus they are told apart."""
    try:
        servers = await resolved.servers(without=interface)
    except DnsError:
        return None
    return "".join(f"nameserver {server}\n" for server in servers)


async def _connections() -> tuple[IPAddress, ...]:
    try:
        return await networkmanager.servers()
    except DnsError:
        return ()


def _listed(servers: Iterable[str]) -> tuple[IPAddress, ...]:
    return parse("".join(f"nameserver {server}\n" for server in servers))
