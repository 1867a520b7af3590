from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from slopn_helper.host import systembus


def test_without_a_bus_it_waits_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A small host has none: nothing is told, nothing fails, and the pauses grow."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    pauses: list[float] = []
    enough = asyncio.Event()
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            enough.set()
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)

    async def scenario() -> None:
        async def follow() -> None:
            async for heard in systembus.signals(("type='signal'",)):
                raise AssertionError(heard)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(follow())
            await enough.wait()
            task.cancel()

    asyncio.run(scenario())
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
