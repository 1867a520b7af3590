"""DNS by /etc/resolv.conf itself (resolv.conf(5)), for hosts where programs read it and nothing else.

A link is replaced, never written through: what it leads to belongs to somebody else. While ours is in force a guard
watches the file; when another program replaces it, that version becomes the one to put back later, and ours returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from asyncinotify import Event, Inotify, Mask

from slopn_helper.host import files
from slopn_helper.host.dns import DnsError
from slopn_helper.host.dns.pace import Pace
from slopn_helper.host.journal import FileWas, Journal
from slopn_wire.profile import DnsConfig

log = logging.getLogger(__name__)

RESOLV_CONF = Path("/etc/resolv.conf")
HEADER = b"# Written by SloPN while its tunnel is up. What was here before comes back with `slopn disconnect`.\n"

_FOLDER = Mask.CREATE | Mask.DELETE | Mask.MOVED_TO | Mask.MOVED_FROM | Mask.CLOSE_WRITE
_FILE = Mask.CLOSE_WRITE | Mask.DONT_FOLLOW


class ResolvConfDns:
    """A `DnsConfigurator` that writes the file. It can't split: all names go to the tunnel's servers."""

    name = "resolv_conf"
    supports_split = False

    def __init__(self, journal: Journal, path: Path = RESOLV_CONF) -> None:
        self._journal = journal
        self._path = path
        self._ours: FileWas | None = None
        self._pace = Pace()
        self._changed = asyncio.Event()

    async def apply(self, interface: str, config: DnsConfig) -> None:  # noqa: ARG002 (the file knows no interfaces)
        """Write the file, its inverse first. Raises `DnsError`."""
        if not config.servers:
            await self.reset()
            return
        if config.match:
            log.warning("dns: resolv.conf can't split: all names go to the tunnel's servers, not only %s", config.match)
        ours = FileWas(str(self._path), render(config), uid=os.geteuid(), gid=os.getegid())
        with _refused("changed"):
            self._remember(files.snapshot(self._path))
            files.put(ours)
        self._ours = ours
        self._changed.set()

    async def reset(self) -> None:
        """Put back what was there, or what others wrote since. Raises `DnsError`."""
        self._ours = None
        self._changed.set()
        entry = self._journal.find(FileWas(str(self._path)).key)
        with _refused("put back"):
            if isinstance(entry, FileWas):
                files.undo(entry)
                self._journal.forget(entry.key)
            elif self._is_left_over():
                raise DnsError(f"{self._path} is ours, but the journal has lost what was there before")

    def _is_left_over(self) -> bool:
        try:
            return _is_ours(files.snapshot(self._path))
        except OSError:
            return False  # a folder, a device: none of our doing

    async def drift(self) -> str | None:
        """None when the file is what was last applied; else who seems to have written it."""
        if self._ours is None:
            return None
        with _refused("read"):
            now = files.snapshot(self._path)
        if _same(now, self._ours):
            return None
        if now.link is not None:
            return f"{self._path} is a link to {now.link}"
        first = (now.content or b"").split(b"\n")[0].decode("utf-8", "replace")
        return f"{self._path} was rewritten: {first[:80]}" if now.content is not None else f"{self._path} is gone"

    async def guard(self) -> None:
        """Put ours back whenever another program writes the file; idle while nothing is applied. Runs until cancelled.

        An answer is given at once, but slower and slower to somebody who never stops.
        """
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._ours is None:
                continue
            try:
                async with asyncio.TaskGroup() as group:
                    watch = group.create_task(self._watch())
                    await self._changed.wait()
                    watch.cancel()
            except* OSError as failed:
                log.warning("dns: %s is not guarded: %s", self._path, failed.exceptions[0])

    async def _watch(self) -> None:
        """The folder tells of a replaced file; a bind-mounted one is in another folder, so the file is watched too."""
        with Inotify() as inotify:
            inotify.add_watch(self._path.parent, _FOLDER)
            while True:
                with contextlib.suppress(FileNotFoundError):
                    inotify.add_watch(self._path, _FILE)
                await self._answer()
                async for event in inotify:
                    if self._concerns_us(event):
                        break

    def _concerns_us(self, event: Event) -> bool:
        if event.name is not None and event.name.name != self._path.name:
            return False
        # A file just made is still being written and CLOSE_WRITE follows; a link is all there is.
        return Mask.CREATE not in event.mask or self._path.is_symlink()

    async def _answer(self) -> None:
        ours = self._ours
        if ours is None or _same(files.snapshot(self._path), ours):
            return
        wait = self._pace.delay(asyncio.get_running_loop().time())
        if wait:
            log.warning("dns: %s is rewritten again and again; it is put back in %.1f s", self._path, wait)
            await asyncio.sleep(wait)
        log.info("dns: %s; putting ours back", await self.drift())
        try:
            self._remember(files.snapshot(self._path))
            files.put(ours)
        except OSError as error:
            log.warning("dns: %s can't be put back: %s", self._path, error)

    def _remember(self, found: FileWas) -> None:
        """The newest version of others is the true one. A missing file is one only if there never was another."""
        nothing = found.content is None and found.link is None
        if not _is_ours(found) and not (nothing and self._journal.find(found.key)):
            self._journal.replace(msgspec.structs.replace(found, ours=HEADER))


def render(config: DnsConfig) -> bytes:
    """The file for `config`. glibc asks the first three servers only; others are left in for programs that ask more."""
    lines = [f"nameserver {server}" for server in config.servers]
    if config.search:
        lines.append(f"search {' '.join(config.search)}")
    return HEADER + "".join(f"{line}\n" for line in lines).encode("ascii")


def _is_ours(found: FileWas) -> bool:
    return found.content is not None and found.content.startswith(HEADER)


def _same(found: FileWas, ours: FileWas) -> bool:
    return found.link is None and found.content == ours.content


@contextlib.contextmanager
def _refused(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DnsError(f"resolv_conf: the file can't be {what}: {error}") from error
