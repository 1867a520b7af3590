from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from slopn_helper import files
from slopn_helper.ipc import devices
from slopn_helper.ipc.devices import FILE, DeviceBook
from slopn_helper.ipc.pki import DIRECTORY
from slopn_helper.ipc.private import write_private
from slopn_helper.ipc.registry import Entry, Registry
from slopn_helper.secrets import SecretError
from slopn_helper.store import StoreError
from slopn_wire.devices import Right
from support.aio import in_loop
from support.until import until_async

NOW = 1_800_000_000.0
ENTRY = Entry("d1", "window", 1000, "anna", "/x", (Right.VIEW,), NOW, "01", NOW + 1e6)


def opened(state_dir: Path, authority: str = "f") -> DeviceBook:
    """The registry, as of a start."""
    return DeviceBook.open(state_dir, authority, os.geteuid())


def stored(state_dir: Path) -> Path:
    """Where it lies."""
    return state_dir / DIRECTORY / FILE


def add(registry: Registry) -> Registry:
    """One device more."""
    return registry.add(ENTRY, NOW)


@asynccontextmanager
async def running(book: DeviceBook) -> AsyncIterator[DeviceBook]:
    """Keep `book` until the end of the block."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(book.run())
        try:
            yield book
        finally:
            task.cancel()


@in_loop
async def test_a_device_outlives_the_helper(tmp_path: Path) -> None:
    """What was answered is on disk, private and whole."""
    async with running(opened(tmp_path)) as book:
        await book.change(add)
        assert book.registry.find("d1") == ENTRY
        assert opened(tmp_path).registry == book.registry
    assert stored(tmp_path).stat().st_mode & 0o777 == 0o600
    assert not opened(tmp_path).lost


def test_the_first_run_has_no_devices_and_no_loss(tmp_path: Path) -> None:
    """And writes nothing before there is something."""
    book = opened(tmp_path)
    assert (book.registry, book.lost) == (Registry("f"), "")
    assert not stored(tmp_path).exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"rubbish", b'{"version":1,"content":{}}', b'{"version":1,"content":{"authority":"f","devices":7}}'],
)
def test_a_damaged_registry_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """All must pair again, and the sentence says where the damaged file is."""
    opened(tmp_path)
    files.write_file(stored(tmp_path), content)
    book = opened(tmp_path)
    assert book.registry == Registry("f")
    assert "damaged and is set aside as devices.json.corrupt-1" in book.lost
    assert stored(tmp_path).with_name(f"{FILE}.corrupt-1").read_bytes() == content
    assert not opened(tmp_path).lost


def test_a_newer_registry_is_left_alone(tmp_path: Path) -> None:
    """After a downgrade the newer format must not be lost."""
    opened(tmp_path)
    files.write_file(stored(tmp_path), b'{"version":99,"content":{}}')
    with pytest.raises(StoreError, match="newer SloPN"):
        opened(tmp_path)
    assert stored(tmp_path).read_bytes() == b'{"version":99,"content":{}}'


@in_loop
async def test_with_another_authority_all_devices_are_gone(tmp_path: Path) -> None:
    """None of their certificates counts any more; a registry without any has lost nothing."""
    async with running(opened(tmp_path)) as book:
        await book.change(add)
    fresh = opened(tmp_path, "g")
    assert fresh.registry == Registry("g")
    assert fresh.lost
    async with running(fresh):
        await fresh.change(lambda registry: registry.rename("none", "x"))
    assert not opened(tmp_path, "h").lost


class Disk:
    """A disk that can be full, or slow."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.writes: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._loop = asyncio.get_running_loop()
        self._write = write_private
        monkeypatch.setattr(devices, "write_private", self._put)

    def _put(self, path: Path, data: bytes) -> None:
        self.writes.append(data)
        asyncio.run_coroutine_threadsafe(self._wait(), self._loop).result(20)
        if self.full:
            raise SecretError("devices.json could not be written: No space left on device")
        self._write(path, data)

    async def _wait(self) -> None:
        await self.gate.wait()


@in_loop
async def test_what_can_not_be_written_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A front end that a restart wouldn't know is not told that it is paired."""
    disk = Disk(monkeypatch)
    async with running(opened(tmp_path)) as book:
        disk.full = True
        with pytest.raises(StoreError, match="No space"):
            await book.change(add)
        assert book.registry.find("d1") is None
        disk.full = False
        await book.change(add)
    assert opened(tmp_path).registry.find("d1") == ENTRY


@in_loop
async def test_a_change_now_holds_before_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again until the disk takes it, and `settle` says whether it did."""
    disk = Disk(monkeypatch)
    monkeypatch.setattr(devices, "RETRY", 0.01)
    async with running(opened(tmp_path)) as book:
        await book.change(add)
        disk.full = True
        book.change_now(lambda registry: registry.revoke("d1"))
        assert book.registry.find("d1") is None
        with pytest.raises(StoreError, match="No space"):
            await book.settle()
        assert opened(tmp_path).registry.find("d1") == ENTRY
        tried = len(disk.writes)
        await until_async(lambda: count(disk, tried + 3), 20, "it is tried again and again")
        disk.full = False
        await until_async(lambda: written(tmp_path, "d1"), 20, "the revocation is on disk")
        writes = len(disk.writes)
        await book.settle()
        assert len(disk.writes) == writes + 1


async def written(state_dir: Path, gone: str) -> bool:
    """Whether a device is gone from the disk."""
    return opened(state_dir).registry.find(gone) is None


@in_loop
async def test_changes_meanwhile_are_lost_neither_here_nor_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one change is written, another holds at once: both hold afterwards, and both come to the disk."""
    disk = Disk(monkeypatch)
    async with running(opened(tmp_path)) as book:
        await book.change(add)
        disk.gate.clear()
        slow = asyncio.ensure_future(book.change(lambda registry: registry.rename("d1", "slow")))
        await until_async(lambda: count(disk, 2), 20, "the write has begun")
        book.change_now(lambda registry: registry.seen("d1", "01", NOW))
        disk.gate.set()
        await slow
        await until_async(lambda: all_written(tmp_path, book), 20, "both changes are on disk")
        found = book.registry.find("d1")
        assert found is not None
        assert found.name == "slow"
        assert found.last_seen is not None


async def all_written(state_dir: Path, book: DeviceBook) -> bool:
    """Whether the disk has what holds."""
    return opened(state_dir).registry == book.registry


async def count(disk: Disk, writes: int) -> bool:
    """Whether so many writes have begun."""
    return len(disk.writes) >= writes


@in_loop
async def test_who_hangs_up_leaves_no_half_done_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write goes on without its client, and the next one comes after it."""
    disk = Disk(monkeypatch)
    async with running(opened(tmp_path)) as book:
        disk.gate.clear()
        gone = asyncio.ensure_future(book.change(add))
        await until_async(lambda: count(disk, 1), 20, "the write has begun")
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        disk.gate.set()
        await book.change(lambda registry: registry.rename("d1", "later"))
        expected = msgspec.structs.replace(ENTRY, name="later")
        assert book.registry.find("d1") == expected
        assert opened(tmp_path).registry.find("d1") == expected


@in_loop
async def test_who_waits_is_let_go_when_the_helper_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for a write that won't come, also who asks too late."""
    disk = Disk(monkeypatch)
    book = opened(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        keeper = tasks.create_task(book.run())
        disk.gate.clear()
        first = asyncio.ensure_future(book.change(add))
        second = asyncio.ensure_future(book.change(add))
        await until_async(lambda: count(disk, 1), 20, "the write has begun")
        keeper.cancel()
        disk.gate.set()
        outcomes = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 20)
    assert [str(each) for each in outcomes] == ["SloPN's helper is stopping"] * 2
    with pytest.raises(StoreError, match="stopping"):
        await book.change(add)


@in_loop
async def test_listeners_hear_of_every_change_and_of_nothing_else(tmp_path: Path) -> None:
    """Once each, when the new registry holds."""
    heard: list[int] = []
    async with running(opened(tmp_path)) as book:
        book.on_change(lambda: heard.append(len(book.registry.devices)))
        await book.change(add)
        await book.settle()
        book.change_now(lambda registry: registry.rename("none", "x"))
        book.change_now(lambda registry: registry.revoke("d1"))
    assert heard == [1, 0]
