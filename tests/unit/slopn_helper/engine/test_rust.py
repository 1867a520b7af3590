from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from ipaddress import IPv4Network
from typing import Any

import pytest

import slopn_engine
from slopn_engine import Event
from slopn_helper.engine import (
    AnswerUnused,
    Engine,
    EngineConfig,
    EngineDown,
    EngineError,
    EngineEvent,
    EngineUp,
    HandshakeDone,
    HandshakeFlood,
    HandshakeStale,
    PeerConfig,
)
from slopn_helper.engine.rust import RustEngine

_KEY = bytes(range(32))
SHORT = "AAEC…"
"""Its beginning in base64."""
_PEER = PeerConfig(
    _KEY, (IPv4Network("10.0.0.0/8"),), ("192.0.2.1", 51820), None, 25, alternatives=(("2001:db8::1", 51820),)
)
_CONFIG = EngineConfig("slopn0", _KEY, (_PEER,), fwmark=5)


class Fake:
    """Stands for `slopn_engine.Engine`: says what was asked of it, and tells what it is given to tell."""

    made: list[Fake]
    refuse: Exception | None

    def __init__(self, interface: str, **options: Any) -> None:
        self.interface = interface
        self.options = options
        self.calls: list[Any] = []
        self.told: list[Event] = []
        self.up = False
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        Fake.made.append(self)

    def tell(self, *events: Event) -> None:
        """Have these events waiting."""
        self.told += events
        os.write(self._write, b"x")

    def apply(self, *arguments: Any, initiate: bool, alternatives: dict[bytes, list[tuple[str, int]]]) -> None:
        """Refuse, or note it and come up."""
        if Fake.refuse:
            raise Fake.refuse
        self.alternatives = alternatives
        self.calls.append(("apply", *arguments, initiate))
        if not self.up:
            self.up = True
            self.tell(Event.Up())

    def rebind(self) -> None:
        """Note it."""
        self.calls.append("rebind")

    def set_mtu(self, mtu: int) -> None:
        """Note it."""
        self.calls.append(("mtu", mtu))

    def fileno(self) -> int:
        """Readable while events wait."""
        return self._read

    def next_events(self) -> list[Event]:
        """Take them."""
        if self.told:
            os.read(self._read, 1000)
        told, self.told = self.told, []
        return told

    def close(self) -> None:
        """Note it."""
        self.calls.append("close")

    def __del__(self) -> None:
        os.close(self._read)
        os.close(self._write)


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    """No device is made: the class is a fake one."""
    Fake.made, Fake.refuse = [], None
    monkeypatch.setattr(slopn_engine, "Engine", Fake)
    return Fake


async def take(events: AsyncIterator[EngineEvent], count: int) -> list[EngineEvent]:
    """The next events."""
    async with asyncio.timeout(5):
        return [await anext(events) for _ in range(count)]


def test_it_is_an_engine() -> None:
    """mypy checks that the adapter has the interface's shape; at run time it starts with counters of zero."""

    async def run() -> None:
        engine: Engine = RustEngine()
        assert engine.counters().rx_bytes == 0
        await engine.apply(None)

    asyncio.run(run())


def test_a_configuration_is_handed_over_whole() -> None:
    """The first `apply` makes the device, and every peer with an endpoint is sent a handshake."""

    async def run() -> None:
        engine = RustEngine(offload=False, uapi=False)
        await engine.apply(_CONFIG)
        (made,) = Fake.made
        assert (made.interface, made.options) == ("slopn0", {"mtu": 1420, "offload": False, "uapi": False})
        peer = (_KEY, ("192.0.2.1", 51820), ["10.0.0.0/8"], None, 25)
        assert made.calls == [("apply", _KEY, None, 5, None, [peer], True)]
        assert made.alternatives == {_KEY: [("2001:db8::1", 51820)]}
        assert await take(engine.events(), 1) == [EngineUp("slopn0")]

    asyncio.run(run())


def test_events_are_translated_in_order() -> None:
    """Handshakes, silence and the end come through; a log line goes to the log."""

    async def run() -> None:
        engine = RustEngine()
        await engine.apply(_CONFIG)
        Fake.made[0].tell(
            Event.Handshake(_KEY, 0.5),
            Event.Handshake(_KEY, None, 7),
            Event.Unused(_KEY, 2),
            Event.Roamed(_KEY, ("192.0.2.2", 1)),
            Event.Stale(_KEY, None),
            Event.Flooded(("192.0.2.9", 7), True, 99),
            Event.Down("gone"),
        )
        assert await take(engine.events(), 7) == [
            EngineUp("slopn0"),
            HandshakeDone(_KEY, 0.5),
            HandshakeDone(_KEY, None, 7),
            AnswerUnused(_KEY, 2),
            HandshakeStale(_KEY, None),
            HandshakeFlood(("192.0.2.9", 7), True, 99),
            EngineDown("gone"),
        ]

    asyncio.run(run())


def test_what_happens_is_in_the_log_as_the_engine(caplog: pytest.LogCaptureFixture) -> None:
    """What the engine says keeps its level; sessions, silence and moves are told, and a peer's key by its beginning."""

    async def run() -> None:
        engine = RustEngine()
        await engine.apply(_CONFIG)
        Fake.made[0].tell(
            Event.Log("warning", "won't segment"),
            Event.Handshake(_KEY, 0.012),
            Event.Stale(_KEY, 31.0),
            Event.Roamed(_KEY, ("192.0.2.2", 1)),
            Event.Down("gone"),
        )
        await take(engine.events(), 4)

    with caplog.at_level(logging.DEBUG):
        asyncio.run(run())
    assert [(level, text) for name, level, text in caplog.record_tuples if name == "slopn_helper.engine"] == [
        (logging.WARNING, "won't segment"),
        (logging.DEBUG, f"peer {SHORT}: a session is agreed in 12 ms"),
        (logging.INFO, f"peer {SHORT}: no answer; the last handshake: 31 s ago"),
        (logging.INFO, f"peer {SHORT}: moved to 192.0.2.2 port 1"),
    ]


def test_applying_again_changes_in_place() -> None:
    """The same device goes on; only a new MTU is set besides, and `EngineUp` is told again."""

    async def run() -> None:
        engine = RustEngine()
        await engine.apply(_CONFIG)
        await engine.apply(EngineConfig("slopn0", _KEY, (), mtu=1300))
        (made,) = Fake.made
        assert made.calls[1:] == [("mtu", 1300), ("apply", _KEY, None, None, None, [], True)]
        assert await take(engine.events(), 2) == [EngineUp("slopn0"), EngineUp("slopn0")]

    asyncio.run(run())


def test_another_interface_is_another_device() -> None:
    """The old device is closed before the new one is made."""

    async def run() -> None:
        engine = RustEngine()
        await engine.apply(_CONFIG)
        await engine.apply(EngineConfig("slopn1", _KEY, ()))
        old, new = Fake.made
        assert old.calls[-1] == "close"
        assert new.interface == "slopn1"
        assert await take(engine.events(), 3) == [EngineUp("slopn0"), EngineDown(), EngineUp("slopn1")]

    asyncio.run(run())


def test_nothing_stops_and_is_told_once() -> None:
    """`apply(None)` closes the device and says so without a reason; again it does nothing."""

    async def run() -> None:
        engine = RustEngine()
        await engine.apply(_CONFIG)
        await engine.apply(None)
        await engine.apply(None)
        assert Fake.made[0].calls[1:] == ["close"]
        assert await take(engine.events(), 2) == [EngineUp("slopn0"), EngineDown()]
        with pytest.raises(EngineError, match="stopped"):
            await engine.rebind()

    asyncio.run(run())


def test_one_that_has_died_is_started_anew() -> None:
    """After `EngineDown` the next `apply` closes the dead one and makes another; its end isn't told twice."""

    async def run() -> None:
        engine = RustEngine()
        await engine.apply(_CONFIG)
        Fake.made[0].tell(Event.Down("gone"))
        events = engine.events()
        assert await take(events, 2) == [EngineUp("slopn0"), EngineDown("gone")]
        await engine.apply(_CONFIG)
        old, _ = Fake.made
        assert old.calls[-1] == "close"
        assert await take(events, 1) == [EngineUp("slopn0")]

    asyncio.run(run())


@pytest.mark.parametrize("error", [slopn_engine.EngineError("port in use"), ValueError("a key has 32 bytes")])
def test_a_refused_start_leaves_no_device(error: Exception) -> None:
    """When the first configuration is refused the device is closed, and the next `apply` starts afresh."""

    async def run() -> None:
        engine = RustEngine()
        Fake.refuse = error
        with pytest.raises(EngineError, match=str(error)):
            await engine.apply(_CONFIG)
        assert Fake.made[0].calls == ["close"]
        assert engine.counters().peers == ()
        Fake.refuse = None
        await engine.apply(_CONFIG)
        assert len(Fake.made) == 2

    asyncio.run(run())


def test_a_refused_change_keeps_the_device() -> None:
    """A later configuration that is refused leaves the running one."""

    async def run() -> None:
        engine = RustEngine()
        await engine.apply(_CONFIG)
        Fake.refuse = slopn_engine.EngineError("port in use")
        with pytest.raises(EngineError):
            await engine.apply(_CONFIG)
        await engine.rebind()
        assert Fake.made[0].calls[-1] == "rebind"

    asyncio.run(run())


def test_a_cancelled_command_ends_before_the_next_begins() -> None:
    """Cancelling doesn't leave a command running beside the next one."""

    async def run() -> None:
        engine = RustEngine()
        await engine.apply(_CONFIG)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(engine.rebind())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
        await engine.apply(None)
        assert Fake.made[0].calls[1:] in (["rebind", "close"], ["close"])

    asyncio.run(run())
