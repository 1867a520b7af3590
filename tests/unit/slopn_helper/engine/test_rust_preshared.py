from __future__ import annotations

import asyncio
import os
from ipaddress import IPv4Network
from typing import Any

import pytest

import slopn_engine
from slopn_engine import Event
from slopn_helper.engine import EngineConfig, EngineError, PeerConfig
from slopn_helper.engine.rust import RustEngine

_KEY = bytes(range(32))
_CONFIG = EngineConfig("slopn0", _KEY, (PeerConfig(_KEY, (IPv4Network("10.0.0.0/8"),)),))


class Fake:
    """Stands for `slopn_engine.Engine`, as far as it is needed here."""

    calls: list[Any]
    refuse: bool

    def __init__(self, interface: str, **_: Any) -> None:
        self.interface = interface
        self._read, self._write = os.pipe()

    def apply(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def set_preshared_keys(self, *arguments: Any, initiate: bool) -> None:
        """Refuse, or note it."""
        if Fake.refuse:
            raise slopn_engine.EngineError("no such peer")
        Fake.calls.append((*arguments, initiate))

    def fileno(self) -> int:
        """Never readable."""
        return self._read

    def next_events(self) -> list[Event]:
        """None."""
        return []

    def close(self) -> None:
        """End."""
        os.close(self._read)
        os.close(self._write)


def test_preshared_keys_are_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """With their names and the order kept; refused while stopped, and when the engine refuses."""
    Fake.calls, Fake.refuse = [], False
    monkeypatch.setattr(slopn_engine, "Engine", Fake)

    async def run() -> None:
        engine = RustEngine()
        with pytest.raises(EngineError, match="stopped"):
            await engine.set_preshared_keys(_KEY, [(0, None)])
        await engine.apply(_CONFIG)
        await engine.set_preshared_keys(_KEY, ((2, b"new"), (0, None)), initiate=True)
        assert Fake.calls == [(_KEY, [(2, b"new"), (0, None)], True)]
        Fake.refuse = True
        with pytest.raises(EngineError, match="no such peer"):
            await engine.set_preshared_keys(_KEY, [(0, None)])
        await engine.apply(None)

    asyncio.run(run())
