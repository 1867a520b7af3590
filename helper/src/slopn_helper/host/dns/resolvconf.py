"""DNS by resolvconf(8), which gathers a record from whoever configures an interface and writes /etc/resolv.conf of all.

Two programs bear the name. openresolv can be told that a record is the only one that counts. Debian's own can't: the
others' servers stay listed behind ours, and only the firewall's block of port 53 keeps them from being asked. A third,
systemd's, is resolvectl in disguise: there resolved rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import msgspec

from slopn_helper.host import files, program
from slopn_helper.host.dns import DnsError, records
from slopn_helper.host.dns.detect import DEBIAN, OPENRESOLV, nameservers
from slopn_helper.host.dns.resolv_conf import RESOLV_CONF
from slopn_helper.host.journal import Journal, ResolvconfRecord
from slopn_helper.host.program import ProgramError
from slopn_wire.profile import DnsConfig

log = logging.getLogger(__name__)

PROGRAMS = (Path("/usr/sbin/resolvconf"), Path("/sbin/resolvconf"), Path("/usr/bin/resolvconf"))
LOCK = Path("/run/slopn-resolvconf.lock")
"""Held by every resolvconf that we start: one that outlives us must end before its record is taken back."""
LOCK_WAIT = 10.0


class Installed(NamedTuple):
    """The resolvconf of this host."""

    program: Path
    flavour: str
    """`openresolv`, `debian`, `resolvectl`, or `unknown`."""


class ResolvconfDns:
    """A `DnsConfigurator` by resolvconf. It can't split: all names go to the tunnel's servers."""

    name = "resolvconf"
    supports_split = False

    def __init__(self, journal: Journal, resolv_conf: Path = RESOLV_CONF) -> None:
        self._journal = journal
        self._resolv_conf = resolv_conf
        self._applied: tuple[str, ...] | None = None
        self._local = False
        """A resolver on this host stands before ours in the file and asks ours."""

    async def apply(self, interface: str, config: DnsConfig) -> None:
        """Add our record, its inverse first. Raises `DnsError`."""
        if not config.servers:
            await self.reset()
            return
        there = await installed()
        if there is None or there.flavour not in (OPENRESOLV, DEBIAN):
            raise DnsError(f"resolvconf: {f'it is {there.flavour}' if there else 'there is none'}")
        if config.match:
            log.warning("dns: resolvconf can't split: all names go to the tunnel's servers, not only %s", config.match)
        wanted = tuple(map(str, config.servers))
        entry = ResolvconfRecord(str(there.program), there.flavour, record(there.flavour, interface), wanted)
        self._remember(entry)
        only = ["-m", "0", "-x"] if there.flavour == OPENRESOLV else []
        await _run(entry, "-a", entry.record, *only, stdin=render(config))
        asked = self._asked()
        self._local = bool(asked) and _is_local(asked[0])
        self._applied = wanted
        if why := await self.drift():
            self._applied = None
            raise DnsError(f"resolvconf: it has taken the servers, but {why}")
        if others := [server for server in asked if server not in wanted and not _is_local(server)]:
            log.warning(
                "dns: resolvconf still lists %s after the tunnel's servers: the firewall refuses them",
                ", ".join(others),
            )

    async def reset(self) -> None:
        """Take our records back. Raises `DnsError`."""
        self._applied = None
        for entry in self._journal.entries():
            if isinstance(entry, ResolvconfRecord):
                try:
                    await undo(entry, self._resolv_conf)
                    self._journal.forget(entry.key)
                except OSError as error:
                    raise DnsError(f"resolvconf: {error}") from error

    async def drift(self) -> str | None:
        """None when resolv.conf begins with the tunnel's servers; else whom it names."""
        if self._applied is None:
            return None
        asked = self._asked()
        if self._local and asked and _is_local(asked[0]):
            return None
        # Programs ask no more than three, and Debian's resolvconf writes no more.
        wanted = list(self._applied)[:3]
        if asked[: len(wanted)] == wanted:
            return None
        return f"{self._resolv_conf} names {', '.join(asked[:3]) or 'nobody'}"

    def _asked(self) -> list[str]:
        return nameservers(records.read(self._resolv_conf) or "")

    def _remember(self, entry: ResolvconfRecord) -> None:
        known = self._journal.find(entry.key)
        try:
            if not isinstance(known, ResolvconfRecord):
                self._journal.record(entry)
            elif known != entry:
                both = tuple(dict.fromkeys((*known.servers, *entry.servers)))
                self._journal.replace(msgspec.structs.replace(entry, servers=both))
        except OSError as error:
            raise DnsError(f"resolvconf: the journal can't be written, so nothing is changed: {error}") from error


def record(flavour: str, interface: str) -> str:
    """The record's name. Debian's sorts them by the interface's kind and puts `tun` before cards and wireless."""
    return interface if flavour == OPENRESOLV else f"tun-{interface}.slopn"


def render(config: DnsConfig) -> bytes:
    """The record: a resolv.conf(5)."""
    lines = [f"nameserver {server}" for server in config.servers]
    if config.search:
        lines.append(f"search {' '.join(config.search)}")
    return "".join(f"{line}\n" for line in lines).encode("ascii")


async def installed() -> Installed | None:
    """The resolvconf of this host, asked for its kind once as long as its file stays the same; None: there is none."""
    for path in PROGRAMS:
        try:
            real = path.resolve(strict=True)
            stamp = real.stat().st_mtime_ns
        except OSError:
            continue
        key = (path, real, stamp)
        if key not in _known:
            _known.clear()
            _known[key] = await _flavour(path, real)
        return Installed(path, _known[key])
    return None


async def undo(entry: ResolvconfRecord, resolv_conf: Path = RESOLV_CONF) -> None:
    """Take our record back; where the program is gone, its files are put right. Raises `DnsError`, `OSError`."""
    if _is_there(entry.program):
        again = ["-f"] if entry.flavour == OPENRESOLV else []
        await _run(entry, "-d", entry.record, *again)
        if again and records.names_only(resolv_conf, entry.servers):
            # After a reboot the record is gone, and openresolv sees no reason to write the file that still names ours.
            await _run(entry, "-u")
    else:
        records.remove(entry.record)
        records.give_back_file(resolv_conf, entry.record, entry.servers)
    # Before the journal forgets it: openresolv's file in /etc outlives a power cut.
    files.settle(resolv_conf)
    _remove_lock()


_known: dict[tuple[Path, Path, int], str] = {}


async def _flavour(path: Path, real: Path) -> str:
    if real.name == "resolvectl":
        return "resolvectl"
    try:
        said = (await program.run(path, "--version")).output
    except ProgramError as error:
        log.warning("dns: %s", error)
        return "unknown"
    return next((word for word, sign in ((OPENRESOLV, "openresolv"), (DEBIAN, "Debian")) if sign in said), "unknown")


def _is_there(program_path: str) -> bool:
    return Path(program_path).exists()


def _remove_lock() -> None:
    LOCK.unlink(missing_ok=True)


async def _run(entry: ResolvconfRecord, *arguments: str, stdin: bytes = b"") -> None:
    try:
        async with _locked() as lock:
            done = await program.run(Path(entry.program), *arguments, stdin=stdin, keep=lock)
    except (ProgramError, OSError) as error:
        raise DnsError(f"resolvconf: {error}") from error
    if done.status:
        raise DnsError(f"resolvconf: {' '.join(arguments)} ended with {done.status}: {done.output}")


@contextlib.asynccontextmanager
async def _locked() -> AsyncIterator[int]:
    """The lock, or after a while none: a daemon that a hook has started may hold it for ever."""
    fd = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(int(LOCK_WAIT / 0.05)):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.05)
        yield fd
    finally:
        os.close(fd)


def _is_local(server: str) -> bool:
    try:
        return ip_address(server).is_loopback
    except ValueError:
        return False
