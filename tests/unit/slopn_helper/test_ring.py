"""The ring of events: what is in it reaches every reader once and in order, what is not is never passed over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.ring import BATCH, EventRing, Subscription
from slopn_wire.codec import server_decoder
from slopn_wire.events import Event, ProfilesChanged, Resumed, Stats
from slopn_wire.framing import MAX_MESSAGE, Deframer
from slopn_wire.profile import Profile
from support.aio import in_loop


def numbers(frames: bytes) -> list[int]:
    """The events' numbers."""
    messages = [server_decoder.decode(payload) for payload in Deframer(MAX_MESSAGE).feed(frames)]
    return [message.seq for message in messages if isinstance(message, Event)]


def filled(events: int, *, most_events: int = 100, most_bytes: int = 1 << 20) -> EventRing:
    """A ring after so many events."""
    ring = EventRing(most_events, most_bytes)
    for seq in range(1, events + 1):
        ring.add(Event(seq, Stats(rx_bytes=seq)))
    return ring


@given(st.integers(0, 40), st.integers(1, 12), st.integers(-2, 42))
def test_all_or_nothing(events: int, most: int, after: int) -> None:
    """From a place that the ring still has, everything newer follows; from any other, nothing does."""
    ring = filled(events, most_events=most)
    kept = range(max(events - most, 0) + 1, events + 1)
    has = after == events or after + 1 in kept
    assert ring.has_all_after(after, events) == has
    if has and after < events:
        found = ring.after(after)
        assert found is not None
        assert (numbers(found[0]), found[1]) == ([seq for seq in kept if seq > after], events)


def test_what_has_left_takes_no_memory() -> None:
    """Events of any size: the ring never holds more bytes than it may, but for one event that alone is larger."""
    ring = EventRing(100, 10_000)
    for seq in range(1, 90):
        ring.add(Event(seq, ProfilesChanged((Profile("x" * 900, (), ()),))))
        assert sum(map(len, ring._frames)) <= 10_000
    ring.add(Event(90, ProfilesChanged((Profile("x" * 20_000, (), ()),))))
    assert 20_000 < sum(map(len, ring._frames)) < 21_000


@in_loop
async def test_every_reader_goes_at_its_own_pace() -> None:
    """Each gets every event once and in order, however its reading falls among the events."""
    ring = filled(0)
    quick, slow = (Subscription(ring, Resumed(0), 0) for _ in range(2))
    got: list[int] = []
    for seq in range(1, 60):
        ring.add(Event(seq, Stats(rx_bytes=seq)))
        got += numbers((await quick.batch()).frames)
    assert got == list(range(1, 60)) == numbers((await slow.batch()).frames)


@in_loop
async def test_a_reader_that_fell_out_is_told() -> None:
    """And told again: nothing follows for it. The others lose nothing."""
    ring = filled(0, most_events=5)
    slow, quick = (Subscription(ring, Resumed(0), 0) for _ in range(2))
    for seq in range(1, 7):
        ring.add(Event(seq, Stats(rx_bytes=seq)))
        assert not (await quick.batch()).lagged
    for _ in range(2):
        assert await slow.batch() == (b"", True)
    assert slow not in ring.readers


@in_loop
async def test_much_at_once_comes_in_parts() -> None:
    """No batch is larger than its limit but one event that alone is."""
    ring = filled(3000, most_events=4000)
    large = Event(3001, ProfilesChanged((Profile(name="x" * BATCH, addresses=(), peers=()),)))
    ring.add(large)
    reader = Subscription(ring, Resumed(0), 0)
    got: list[int] = []
    sizes = []
    while len(got) < 3001:
        batch = await reader.batch()
        sizes.append(len(batch.frames))
        got += numbers(batch.frames)
    assert got == list(range(1, 3002))
    assert max(sizes[:-1]) <= BATCH < sizes[-1]


def test_the_ring_does_not_grow() -> None:
    """Neither by number nor by size; the newest event is always there."""
    ring = filled(10_000, most_events=100)
    assert len(ring._frames) <= 201
    small = filled(50, most_bytes=1)
    found = small.after(49)
    assert found is not None
    assert numbers(found[0]) == [50]
    assert small.after(48) is None
