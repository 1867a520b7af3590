"""The registry of paired front ends on disk."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from slopn_helper.ipc.pki import DIRECTORY
from slopn_helper.ipc.private import Exposed, open_directory, read_private, set_aside, write_private
from slopn_helper.ipc.registry import Registry
from slopn_helper.secrets import SecretError
from slopn_helper.store import StoreError
from slopn_helper.store.documents import Damaged, NewerFormat, pack, unpack

FILE = "devices.json"
"""Beside the authority's key, so that they are lost or saved together."""


RETRY = 60.0
"""Seconds after which what could not be written is tried again."""

Change = Callable[[Registry], Registry]
"""Pure, and for any registry: it may be applied to a later one than it was made for."""

_log = logging.getLogger(__name__)


class DeviceBook:
    """Keeps the registry. `run` alone writes, so that no client's hanging up leaves a write behind that nobody awaits.

    But for `open`, it is used in the event loop's thread; the disk is another thread's.
    """

    def __init__(self, path: Path, registry: Registry, lost: str = "") -> None:
        self.registry = registry
        """What holds."""
        self.lost = lost
        """What became of the registry before this one, in words that end a sentence; empty: nothing."""
        self._path = path
        self._listeners: list[Callable[[], None]] = []
        self._waiting: deque[tuple[Change, asyncio.Future[None]]] = deque()
        self._behind = False
        self._ended = False
        self._wake = asyncio.Event()

    @classmethod
    def open(cls, state_dir: Path, authority: str, owner: int = 0) -> Self:
        """Read it, as of a start; `authority` is the fingerprint of the one that holds (`Authority.open` comes first).

        One that is damaged is set aside; another authority's devices are forgotten: nothing they show counts any more.
        Both are told in `lost`. Raises `StoreError` if a newer SloPN wrote it, `SecretError` as `Authority.open` does.
        """
        directory = state_dir / DIRECTORY
        open_directory(directory, owner)
        path = directory / FILE
        try:
            raw = read_private(path, owner)
            if raw is None:
                return cls(path, Registry(authority))
            registry = unpack(raw, Registry)
        except NewerFormat as error:
            raise StoreError(f"{path} was written by a newer SloPN ({error}); install that one again") from None
        except (Damaged, Exposed):
            lost = f"{FILE}, the list of them, was damaged and is set aside as {set_aside(path)}"
            return cls(path, Registry(authority), lost)
        if registry.authority == authority:
            return cls(path, registry)
        lost = "the key that they were paired by is gone" if registry.devices else ""
        return cls(path, Registry(authority), lost)

    def on_change(self, call: Callable[[], None]) -> None:
        """`call` whenever `registry` is another one."""
        self._listeners.append(call)

    async def change(self, change: Change) -> None:
        """Write the changed registry, then let it hold. Raises `StoreError`: the old one holds then."""
        if self._ended:
            raise _stopping()
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((change, written))
        self._wake.set()
        await written

    def change_now(self, change: Change) -> None:
        """Let the changed registry hold at once; it is written soon, and again until that works."""
        changed = change(self.registry)
        if changed != self.registry:
            self._behind = True
            self._wake.set()
            self._hold(changed)

    async def settle(self) -> None:
        """Wait until what holds is written. Raises `StoreError` if that fails."""
        await self.change(_same)

    async def run(self) -> None:
        """Write what changes, until cancelled."""
        try:
            while True:
                self._wake.clear()
                while self._waiting:
                    await self._carry_out(*self._waiting[0])
                    self._waiting.popleft()
                if self._behind:
                    await self._catch_up()
                with suppress(TimeoutError):
                    async with asyncio.timeout(RETRY if self._behind else None):
                        await self._wake.wait()
        finally:
            self._ended = True
            for _, written in self._waiting:
                if not written.done():
                    written.set_exception(_stopping())

    async def _carry_out(self, change: Change, written: asyncio.Future[None]) -> None:
        if written.cancelled():
            return
        try:
            await self._write(change)
        except StoreError as error:
            if not written.cancelled():
                written.set_exception(error)
        else:
            if not written.cancelled():
                written.set_result(None)

    async def _catch_up(self) -> None:
        try:
            await self._write(_same)
        except StoreError as error:
            _log.warning("%s", error)

    async def _write(self, change: Change) -> None:
        changed = change(self.registry)
        await asyncio.to_thread(_put, self._path, changed)
        held = change(self.registry)
        self._behind = held != changed
        self._hold(held)

    def _hold(self, registry: Registry) -> None:
        if registry != self.registry:
            self.registry = registry
            for call in self._listeners:
                call()


def _put(path: Path, registry: Registry) -> None:
    try:
        write_private(path, pack(registry))
    except SecretError as error:
        raise StoreError(str(error)) from None


def _stopping() -> StoreError:
    return StoreError("SloPN's helper is stopping")


def _same(registry: Registry) -> Registry:
    return registry
