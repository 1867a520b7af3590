from __future__ import annotations

import asyncio
import os
from ipaddress import IPv4Network
from typing import Any

import pytest

import slopn_engine
from slopn_engine import Event
from slopn_helper.engine import EngineConfig, EngineError, PathFound, PeerConfig
from slopn_helper.engine.rust import RustEngine

_KEY = bytes(range(32))
_CONFIG = EngineConfig("slopn0", _KEY, (PeerConfig(_KEY, (IPv4Network("10.0.0.0/8"),)),))


class Fake:
    """Stands for `slopn_engine.Engine`, as far as it is needed here: what it is asked to measure, it has found."""

    asked: list[Any]

    def __init__(self, interface: str, **_: Any) -> None:
        self.interface = interface
        self._found: list[Event] = []
        self._read, self._write = os.pipe()

    def apply(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def probe_path(self, *arguments: Any) -> None:
        """Note it, and tell."""
        Fake.asked.append(arguments)
        self._found += [Event.PathMtu(_KEY, True, 1492), Event.PathMtu(_KEY, False, None)]
        os.write(self._write, b"x")

    def fileno(self) -> int:
        """Readable once something is found."""
        return self._read

    def next_events(self) -> list[Event]:
        """Take them."""
        if self._found:
            os.read(self._read, 1)
        found, self._found = self._found, []
        return found

    def close(self) -> None:
        """Nothing: who waits for events still has the descriptor."""

    def __del__(self) -> None:
        os.close(self._read)
        os.close(self._write)


def test_a_path_is_measured_and_what_is_found_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is asked for; without a device there is no path."""
    Fake.asked = []
    monkeypatch.setattr(slopn_engine, "Engine", Fake)

    async def run() -> None:
        engine = RustEngine()
        with pytest.raises(EngineError, match="stopped"):
            await engine.probe_path(_KEY, [], 1500)
        await engine.apply(_CONFIG)
        await engine.probe_path(_KEY, [("10.0.0.2", "10.0.0.1")], 1500)
        assert Fake.asked == [(_KEY, [("10.0.0.2", "10.0.0.1")], 1500)]
        events = engine.events()
        async with asyncio.timeout(30):
            assert await anext(events) == PathFound(_KEY, 1492, over6=True)
            assert await anext(events) == PathFound(_KEY, None)
        await engine.apply(None)

    asyncio.run(run())
