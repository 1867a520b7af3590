"""DNS by systemd-resolved: settings of our link over D-Bus (org.freedesktop.resolve1(5)).

The settings belong to the interface's index: they survive a restart of resolved and die with the TUN device, so they
are made on every `apply`. resolved is never started by asking for it: on a host where its unit is masked that would
block for 25 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address
from typing import Any

from dbus_fast import BusType, Message, MessageFlag, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

from slopn_helper.host.dns import DnsError
from slopn_helper.host.journal import Journal, ResolvedRevert
from slopn_wire.profile import DnsConfig, IPAddress

log = logging.getLogger(__name__)

SERVICE = "org.freedesktop.resolve1"
PATH = "/org/freedesktop/resolve1"
MANAGER = "org.freedesktop.resolve1.Manager"
LINK = "org.freedesktop.resolve1.Link"
TIMEOUT = 5.0
"""Seconds for one call: resolved answers in milliseconds or is stuck."""


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
        async with _bus() as bus:
            await _call(bus, "SetLinkDNS", "ia(iay)", index, servers)
            await _call(bus, "SetLinkDomains", "ia(sb)", index, [list(d) for d in domains(config)])
            await _call(bus, "SetLinkDefaultRoute", "ib", index, not config.match)
            for member, value in (("SetLinkLLMNR", "no"), ("SetLinkMulticastDNS", "no"), ("SetLinkDNSOverTLS", "no")):
                # Nobody beyond the tunnel answers multicast, and a host-wide DNS over TLS would ask the profile's
                # resolver for what few of them speak; the tunnel encrypts already. Old versions lack some of them.
                with contextlib.suppress(DnsError):
                    await _call(bus, member, "is", index, value)
            await _call(bus, "FlushCaches")
        self._applied = interface, config

    async def reset(self) -> None:
        """Take back what we told resolved, without knowing what that was. Raises `DnsError`."""
        self._applied = None
        for entry in self._journal.entries():
            if isinstance(entry, ResolvedRevert):
                await undo(entry)
                self._journal.forget(entry.key)

    async def drift(self) -> str | None:
        """None when our link's DNS is what was last applied; else a short description of the difference."""
        if self._applied is None:
            return None
        interface, config = self._applied
        index = _index(interface)
        if index is None:
            return f"the interface {interface} is gone"
        async with _bus() as bus:
            (path,) = await _call(bus, "GetLink", "i", index)
            found = {name: await _property(bus, str(path), LINK, name) for name in ("DNS", "Domains", "DefaultRoute")}
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
    try:
        async with _bus() as bus:
            return await _owned(bus)
    except DnsError:
        return False


async def servers(without: str) -> tuple[IPAddress, ...]:
    """The servers that resolved has for itself and all links but the interface `without`. Raises `DnsError`."""
    async with _bus() as bus:
        found = await _property(bus, PATH, MANAGER, "DNS")
    skipped = _index(without)
    return tuple(dict.fromkeys(ip_address(bytes(packed)) for index, _, packed in found if index != skipped))


async def undo(entry: ResolvedRevert) -> None:
    """Revert the settings of our link; nothing to do when the interface is gone. Raises `DnsError`."""
    index = _index(entry.interface)
    if index is None:
        return
    async with _bus() as bus:
        await _call(bus, "RevertLink", "i", index)
        await _call(bus, "FlushCaches")


def _index(interface: str) -> int | None:
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return None


def _packed(server: IPAddress) -> list[Any]:
    return [socket.AF_INET if server.version == 4 else socket.AF_INET6, server.packed]


@contextlib.asynccontextmanager
async def _bus() -> AsyncIterator[MessageBus]:
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        async with asyncio.timeout(TIMEOUT):
            await bus.connect()
    except (OSError, DBusError, EOFError, ValueError) as error:
        bus.disconnect()
        raise DnsError(f"resolved: no system bus: {error!r}") from error
    try:
        yield bus
    finally:
        bus.disconnect()


async def _owned(bus: MessageBus) -> bool:
    (owned,) = await _send(
        bus,
        Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="NameHasOwner",
            signature="s",
            body=[SERVICE],
        ),
    )
    return bool(owned)


async def _property(bus: MessageBus, path: str, interface: str, name: str) -> Any:
    message = Message(
        destination=SERVICE,
        path=path,
        interface="org.freedesktop.DBus.Properties",
        member="Get",
        signature="ss",
        body=[interface, name],
        flags=MessageFlag.NO_AUTOSTART,
    )
    (value,) = await _send(bus, message)
    return value.value if isinstance(value, Variant) else value


async def _call(bus: MessageBus, member: str, signature: str = "", *body: Any) -> Sequence[Any]:
    message = Message(
        destination=SERVICE,
        path=PATH,
        interface=MANAGER,
        member=member,
        signature=signature,
        body=list(body),
        flags=MessageFlag.NO_AUTOSTART,
    )
    return await _send(bus, message)


async def _send(bus: MessageBus, message: Message) -> Sequence[Any]:
    try:
        async with asyncio.timeout(TIMEOUT):
            reply = await bus.call(message)
    except TimeoutError as error:
        raise DnsError(f"resolved: {message.member}: no answer within {TIMEOUT:g} s") from error
    except (OSError, DBusError, EOFError) as error:
        raise DnsError(f"resolved: {message.member}: {error}") from error
    if reply.message_type == MessageType.ERROR:
        raise DnsError(f"resolved: {message.member}: {reply.error_name} {' '.join(map(str, reply.body))}")
    return list(reply.body)
