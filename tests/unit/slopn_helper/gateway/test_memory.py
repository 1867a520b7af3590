from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from slopn_helper.gateway import memory
from slopn_helper.gateway.memory import GOOD_FOR, Memory
from slopn_helper.gateway.registry.feed import Update
from slopn_helper.gateway.types import Device, DeviceKind, Enrolled, Lease, Pool
from support.until import until_async

NOW = 1_800_000_000.0
POOLS = (Pool("v4", ip_network("100.80.0.0/20")), Pool("v6", ip_network("fd80::/64")))


def device(number: int, *, token: bytes | None = None) -> Enrolled:
    """The `number`th."""
    made = Device(f"d{number}", "Bob's laptop", bytes([number]) * 32, DeviceKind.SLOPN, NOW, NOW + 9.0, token=token)
    leases = (
        Lease(made.id, "v4", ip_address(f"100.80.0.{number}")),
        Lease(made.id, "v6", ip_address(f"fd80::{number}")),
    )
    return Enrolled(made, leases)


def written(path: Path, *updates: Update, at: float = NOW) -> None:
    """A copy of what these tell."""

    async def run() -> None:
        made = Memory(path, lambda: at)
        for update in updates:
            made.note(update)
        keeping = asyncio.ensure_future(made.keep(lambda: POOLS))
        await until_async(path.exists, 30.0, "it is written")
        keeping.cancel()

    asyncio.run(run())


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the copy will be."""
    monkeypatch.setattr(memory, "PAUSE", 0.01)
    return tmp_path / "devices.json"


def test_what_was_told_last_is_known_after_a_start(path: Path) -> None:
    """Whole readings and changes alike; of tokens nothing; for the owner's eyes alone."""
    whole = Update(whole=True, devices=(device(1), device(2), device(3)))
    written(path, whole, Update(whole=False, devices=(device(4, token=b"t" * 32),), gone=("d2",)))
    known = Memory(path, lambda: NOW + 1.0).read()
    assert known is not None
    assert (known.at, known.pools) == (NOW, POOLS)
    assert known.devices == (device(1), device(3), device(4))
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("age", [GOOD_FOR + 1.0, -1.0])
def test_an_old_copy_lets_nobody_in(path: Path, age: float) -> None:
    """Nor one of the future, whose age nobody knows."""
    written(path, Update(whole=True, devices=(device(1),)))
    assert Memory(path, lambda: NOW + age).read() is None
    assert Memory(path, lambda: NOW + GOOD_FOR).read() is not None


@pytest.mark.parametrize("data", [b"", b"{", b'{"at":1}', b"\xff" * 99])
def test_a_damaged_copy_is_none(path: Path, data: bytes) -> None:
    """And no error: the gateway starts, and waits for its registry."""
    path.write_bytes(data)
    assert Memory(path, lambda: NOW).read() is None


def test_nothing_is_written_before_the_whole_is_known(path: Path) -> None:
    """A change alone would make a registry of one device."""

    async def run() -> None:
        made = Memory(path, lambda: NOW)
        made.note(Update(whole=False, devices=(device(1),)))
        looked = 0

        def pools() -> tuple[Pool, ...]:
            nonlocal looked
            looked += 1
            return POOLS

        keeping = asyncio.ensure_future(made.keep(pools))
        await until_async(lambda: looked > 2, 30.0, "it has looked")
        assert made.read() is None
        made.note(Update(whole=True, devices=()))
        await until_async(path.exists, 30.0, "it is written")
        keeping.cancel()

    asyncio.run(run())
