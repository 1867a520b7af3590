"""What the check-up judges by, asked of this host; nothing is changed."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import stat
import time
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode

from slopn_helper.gateway import certificate, checkup, interface, keys
from slopn_helper.gateway.bans import BansError
from slopn_helper.gateway.bans.fail2ban import Fail2Ban
from slopn_helper.gateway.certificate import CertificateError
from slopn_helper.gateway.checkup import Seen
from slopn_helper.gateway.cli import opened
from slopn_helper.gateway.config import Config
from slopn_helper.gateway.machine import Machine
from slopn_helper.gateway.paths import Paths
from slopn_helper.gateway.pools import gateway_address
from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.registry.errors import RegistryError
from slopn_helper.gateway.setup import SERVICE
from slopn_helper.gateway.status import GatewayStatus
from slopn_helper.host.routes import RouteError
from slopn_wire.profile import IPAddress, IPNetwork

WITHIN = 5.0
"""Seconds for each question to somebody else."""
_PROC = Path("/proc/thread-self/net")
_UNSYNCHRONISED = 0x0040
"""STA_UNSYNC of adjtimex(2)."""
_PORT = 53


async def gather(config: Config, paths: Paths, running: GatewayStatus | str, machine: Machine) -> Seen:
    """Everything. `running`: what the gateway says, or why it doesn't answer."""
    async with asyncio.TaskGroup() as group:
        endpoint = group.create_task(_addresses(config.wireguard.endpoint))
        database = group.create_task(_database(config))
        named = group.create_task(_names(config))
        own = group.create_task(_own())
    silent = isinstance(running, str)
    return Seen(
        running=running if isinstance(running, str) else None,
        trouble=() if isinstance(running, str) else tuple(each.message for each in running.trouble),
        enabled=await machine.is_so("is-enabled", "--quiet", SERVICE) if machine.has_systemd else None,
        udp=checkup.listening(_tables("udp"), "07"),
        tcp=checkup.listening(_tables("tcp"), "0A"),
        endpoint=endpoint.result(),
        own=own.result(),
        synchronised=synchronised(),
        fail2ban=_fail2ban(Fail2Ban()),
        certificate=_certificate(config, paths),
        database=database.result(),
        key=keys.problem(paths.wireguard_key, os.getuid()),
        readable=tuple(readable((paths.config, paths.state, *_secrets(paths.state)))),
        names="The gateway must run for it." if silent and named.result() else named.result(),
    )


def readable(paths: Iterable[Path]) -> Iterable[str]:
    """Those that somebody else may read or change; a missing one is none."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            found = path.lstat()
            if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
                yield str(path)


def synchronised() -> bool | None:
    """Whether the kernel takes its clock for right, adjtimex(2). None: it doesn't say."""
    libc = ctypes.CDLL(None, use_errno=True)
    # struct timex of 64-bit Linux: modes, four longs, status; modes 0 only reads.
    timex = (ctypes.c_long * 64)()
    if libc.adjtimex(ctypes.byref(timex)) < 0:
        return None
    return not timex[5] & _UNSYNCHRONISED


async def _addresses(host: str) -> tuple[IPAddress, ...]:
    with contextlib.suppress(OSError, UnicodeError, TimeoutError):
        async with asyncio.timeout(WITHIN):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        return tuple(dict.fromkeys(ip_address(str(each[4][0]).partition("%")[0]) for each in found))
    return ()


async def _own() -> frozenset[IPAddress]:
    try:
        return frozenset(each.ip for each in await interface.own_addresses())
    except RouteError:
        return frozenset()


async def _database(config: Config) -> str | None:
    registry = Registry(config.database.url, os.urandom, patience=WITHIN)
    try:
        await registry.database.check()
    except RegistryError as error:
        return str(error)
    finally:
        await registry.close()
    return None


async def _names(config: Config) -> str | None:
    if config.dns.servers:
        return None
    pools: tuple[IPNetwork, ...] = (*config.pools.ipv4[:1], *config.pools.ipv6[:1])
    for pool in pools:
        address = gateway_address(pool)
        question = dns.message.make_query(".", "NS")
        try:
            answer = await dns.asyncquery.udp(question, str(address), timeout=WITHIN, port=_PORT)
        except (OSError, dns.exception.DNSException) as error:
            return f"Nobody answers for names at {address} ({type(error).__name__})."
        if answer.rcode() != dns.rcode.NOERROR:
            return f"The name server at {address} answers {dns.rcode.to_text(answer.rcode())}."
    return None


def _fail2ban(server: Fail2Ban) -> str | None:
    if not server.is_there():
        return checkup.OFF
    try:
        server.bans()
    except BansError as error:
        return str(error)
    return None


def _certificate(config: Config, paths: Paths) -> str | None:
    try:
        return certificate.problem(opened.identity(config, paths), time.time())
    except CertificateError as error:
        return str(error)


def _secrets(state: Path) -> Iterable[Path]:
    return [
        path for glob in ("*.key", "*/*.key", "registry.db*", "audit.jsonl", "journal*") for path in state.glob(glob)
    ]


def _tables(kind: str) -> Iterable[str]:
    for name in (kind, f"{kind}6"):
        with contextlib.suppress(OSError):
            yield (_PROC / name).read_text(encoding="ascii")
