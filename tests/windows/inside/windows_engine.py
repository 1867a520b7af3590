"""The engine for Windows: it is there, and two of them carry packets to each other over UDP."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import slopn_engine
from slopn_engine import Engine, EngineError, Event, MemoryTun

PATIENCE = 30.0
MEGABYTES = 10
SIZE = 1400


class End:
    """An engine with a device in memory."""

    def __init__(self, name: str) -> None:
        self._key = X25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.tun = MemoryTun()
        self.engine = Engine(name, device=self.tun)
        self.events: list[Event] = []

    def talk_to(self, peer: bytes, endpoint: tuple[str, int] | None, prefix: str) -> None:
        """Makes that the only peer; with an endpoint it is called at once."""
        private = self._key.private_bytes_raw()
        self.engine.apply(private, None, None, None, [(peer, endpoint, [prefix], None, None)], endpoint is not None)

    def wait_for(self, kind: type[Event]) -> Event:
        """The next event of that kind."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.engine.wait(1.0)
            self.events += self.engine.next_events()
            for event in self.events:
                if type(event) is kind:
                    return event
        raise AssertionError(f"no {kind.__name__} within {PATIENCE} s: {self.events}")


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[End, End]]:
    """Two engines, the first of which calls the second."""
    left, right = End("left"), End("right")
    right.talk_to(left.public, None, "10.0.0.1/32")
    left.talk_to(right.public, (request.param, right.engine.listen_port), "10.0.0.2/32")
    yield left, right
    left.engine.close()
    right.engine.close()


def packet(number: int, size: int = SIZE) -> bytes:
    """An IPv4/UDP packet from the left one to the right one."""
    body = number.to_bytes(4, "big") * ((size - 28) // 4)
    udp = (5000).to_bytes(2, "big") * 2 + (8 + len(body)).to_bytes(2, "big") + b"\0\0"
    length = (28 + len(body)).to_bytes(2, "big")
    head = b"\x45\0" + length + b"\0\0\0\0\x40\x11\0\0" + bytes([10, 0, 0, 1, 10, 0, 0, 2])
    total = sum(int.from_bytes(head[at : at + 2], "big") for at in range(0, 20, 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + (0xFFFF - total).to_bytes(2, "big") + head[12:] + udp + body


def test_two_engines_agree_and_carry_10_megabytes(pair: tuple[End, End]) -> None:
    """A handshake over loopback, then 10 MB, each packet as it was sent."""
    left, right = pair
    left.wait_for(Event.Handshake)
    count = MEGABYTES * 1_000_000 // SIZE + 1
    got = 0
    for number in range(count):
        sent = packet(number)
        while not left.tun.send(sent):
            time.sleep(0.001)
        if number % 64 == 63 or number == count - 1:
            # Never more under way than sockets hold: what is tested here is the way, not the queue.
            while got <= number:
                came = right.tun.receive(PATIENCE)
                assert came == packet(got)
                got += 1
    assert got * SIZE >= MEGABYTES * 1_000_000
    assert right.engine.counters().rx_bytes > MEGABYTES * 1_000_000
    assert right.engine.counters().losses["rx_invalid"] == 0


def test_sockets_are_made_anew(pair: tuple[End, End]) -> None:
    """After `rebind` packets still arrive."""
    left, right = pair
    left.wait_for(Event.Handshake)
    left.engine.rebind()
    left.tun.send(packet(7))
    assert right.tun.receive(PATIENCE) == packet(7)


def test_events_wake_who_waits() -> None:
    """`wait` returns when there is something, and only then."""
    end = End("one")
    try:
        end.engine.next_events()
        assert not end.engine.wait(0.05)
        end.talk_to(bytes(31) + b"\x09", None, "10.0.0.9/32")
        end.wait_for(Event.Up)
    finally:
        end.engine.close()


def test_a_mark_is_refused() -> None:
    """Windows has no marks: somebody who wants one must know that it isn't there."""
    end = End("one")
    try:
        with pytest.raises(EngineError, match="marks"):
            end.engine.apply(bytes(31) + b"\x01", None, 7, None, [], False)
    finally:
        end.engine.close()


def test_wintun_lies_beside_the_engine_as_its_makers_signed_it() -> None:
    """What the engine loads is what was published."""
    library = Path(slopn_engine.__file__).parent / "wintun.dll"
    known = "e5da8447dc2c320edc0fc52fa01885c103de8c118481f683643cacc3220dafce"
    assert hashlib.sha256(library.read_bytes()).hexdigest() == known


def test_another_wintun_is_not_loaded() -> None:
    """One changed byte is enough."""
    library = Path(slopn_engine.__file__).parent / "wintun.dll"
    good = library.read_bytes()
    library.write_bytes(good + b"\0")
    try:
        with pytest.raises(EngineError, match=r"isn't Wintun 0\.14\.1"):
            Engine("SloPN")
    finally:
        library.write_bytes(good)


@pytest.mark.wine_pretends("has no drivers")
def test_wintun_makes_an_adapter() -> None:
    """An adapter that Windows knows by a LUID."""
    engine = Engine("SloPN test")
    try:
        assert engine.luid
    finally:
        engine.close()


@pytest.mark.wine_pretends("has no drivers")
def test_tap_windows_gets_its_address() -> None:
    """An adapter of TAP-Windows6, with the address that it was told."""
    engine = Engine("SloPN TAP", device="tap", address="10.0.0.2/32")
    try:
        assert engine.luid
    finally:
        engine.close()


def test_a_device_that_does_not_exist_is_a_mistake() -> None:
    """A misspelt setting is told."""
    with pytest.raises(ValueError, match="tup"):
        Engine("SloPN", device="tup")
