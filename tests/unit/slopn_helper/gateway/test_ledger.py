from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest

from slopn_helper.gateway import ledger, memory
from slopn_helper.gateway.ledger import Ledger
from slopn_helper.gateway.memory import Known, Memory
from slopn_helper.gateway.registry.errors import PoolConflict, Unavailable
from slopn_helper.gateway.registry.feed import Update
from slopn_helper.gateway.types import Device, DeviceKind, Enrolled, Pool
from slopn_wire import codec
from support.until import until_async

OURS, THEIRS = Pool("v4", ip_network("100.80.0.0/20")), Pool("v4-2", ip_network("100.81.0.0/20"))
WITHIN = 30.0


class Registry:
    """Stands for the registry, which may be gone."""

    def __init__(self) -> None:
        self.gone = True
        self.there: tuple[Pool, ...] = ()
        self.swept: list[float] = []

    async def create(self, pools: Sequence[Pool]) -> None:
        """With these."""
        if self.gone:
            raise Unavailable("no route")
        self.there = self.there or tuple(pools)

    async def pools(self) -> tuple[Pool, ...]:
        """All."""
        if self.gone:
            raise Unavailable("no route")
        return self.there

    async def lent(self) -> dict[str, int]:
        """Three of each."""
        return {pool.name: 3 for pool in await self.pools()}

    async def sweep(self, *, now: float, keep: float) -> int:
        """Note what is to be forgotten."""
        if self.gone:
            raise Unavailable("no route")
        self.swept.append(now - keep)
        return 1

    async def changes(self) -> AsyncIterator[Update]:
        """One."""
        yield Update(whole=True, devices=())


def test_a_registry_that_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start goes on without it, with the settings' pools; once it answers, all that it knows is there."""
    monkeypatch.setattr(ledger, "AGAIN", 0.01)

    async def run() -> None:
        registry = Registry()
        made = Ledger(registry, (OURS,), lambda: 100.0, keep=1.0)
        await made.create()
        assert "no route" in str(made.trouble)
        assert list(made.pools) == [OURS]
        registry.gone, registry.there = False, (OURS, THEIRS)
        async for update in made.updates():
            assert update.whole
        assert made.trouble is None
        assert list(made.pools) == [OURS, THEIRS]
        assert made.lent == {"v4": 3, "v4-2": 3}

    asyncio.run(run())


def test_a_registry_that_is_not_ours_is_an_error() -> None:
    """It would never get better."""

    class Other(Registry):
        async def create(self, pools: Sequence[Pool]) -> None:
            """Another's."""
            del pools
            raise PoolConflict("The pools overlap.")

    with pytest.raises(PoolConflict):
        asyncio.run(Ledger(Other(), (OURS,), lambda: 100.0, keep=1.0).create())


def test_other_gateways_pools_and_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that another gateway adds is told of once; what is old is swept, as often as the database is there."""
    monkeypatch.setattr(ledger, "COUNT_EVERY", 0.01)
    monkeypatch.setattr(ledger, "TIDY_EVERY", 0.01)

    async def run() -> None:
        registry = Registry()
        registry.gone, registry.there = False, (OURS,)
        made = Ledger(registry, (OURS,), lambda: 100.0, keep=1.0)
        await made.create()
        told: list[Sequence[Pool]] = []

        async def lend(pools: Sequence[Pool]) -> None:
            told.append(pools)

        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(made.count(lend)), tasks.create_task(made.tidy())]
            registry.there = (OURS, THEIRS)
            await until_async(lambda: told == [(OURS, THEIRS)], WITHIN, "the pool is told of")
            registry.gone = True
            seen = len(registry.swept)
            registry.gone = False
            await until_async(lambda: len(registry.swept) > seen + 1, WITHIN, "it sweeps again")
            for loop in loops:
                loop.cancel()
        assert told == [(OURS, THEIRS)]
        assert set(registry.swept) == {99.0}

    asyncio.run(run())


@pytest.mark.parametrize("pools", [(OURS, THEIRS), (THEIRS,)])
def test_until_the_registry_answers_who_is_remembered_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pools: tuple[Pool, ...]
) -> None:
    """With the pools of then; not if the settings name others since. Then the registry's word counts, and is remembered."""
    monkeypatch.setattr(ledger, "AGAIN", 0.01)
    monkeypatch.setattr(memory, "PAUSE", 0.01)
    path = tmp_path / "devices.json"
    known = Enrolled(Device("d", "laptop", b"k" * 32, DeviceKind.SLOPN, 1.0), ())
    path.write_bytes(codec.encode(Known(99.0, pools, (known,))))

    async def run() -> None:
        registry = Registry()
        made = Ledger(registry, (OURS,), lambda: 100.0, keep=1.0, memory=Memory(path, lambda: 100.0))
        await made.create()
        fits = OURS in pools
        assert list(made.pools) == (list(pools) if fits else [OURS])
        told = []
        registry.gone = fits
        async for update in made.updates():
            told.append([each.device.id for each in update.devices])
            registry.gone = False
        assert told == ([["d"], []] if fits else [[]])
        keeping = asyncio.ensure_future(made.remember())
        await until_async(lambda: (Memory(path, lambda: 100.0).read() or Known(0, (), ())).at == 100.0, WITHIN, "kept")
        keeping.cancel()

    asyncio.run(run())


def test_a_clock_that_leaps_costs_nobody_his_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """All have expired by it: who is shut out for an hour has his place afterwards."""
    monkeypatch.setattr(ledger, "TIDY_EVERY", 0.01)
    now = 1_800_000_000.0

    async def run() -> None:
        clock = [now]
        registry = Registry()
        registry.gone = False
        made = Ledger(registry, (OURS,), lambda: clock[0], keep=0.0)
        await made.create()
        tidying = asyncio.get_running_loop().create_task(made.tidy())
        await until_async(lambda: len(registry.swept) > 1, WITHIN, "it sweeps")
        clock[0] += 1e8
        seen = len(registry.swept)
        await until_async(lambda: len(registry.swept) > seen + 2, WITHIN, "it sweeps on")
        tidying.cancel()
        assert max(registry.swept) < now + 1e6

    asyncio.run(run())
