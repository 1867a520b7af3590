"""The client's side: what looks like the helper's stream, cut at any place, never ends in a surprise."""

from __future__ import annotations

import functools
import random

import msgspec

from fuzz import shapes
from fuzz.bytestream import Feed
from slopn_app.view import Gap, apply
from slopn_wire.codec import encode, server_decoder
from slopn_wire.events import Event, Reply, ServerMessage, Snapshot
from slopn_wire.framing import MAX_MESSAGE, Deframer, FrameTooLarge, frame
from support.wire import examples


def target(data: bytes) -> None:
    """Messages survive the way back; a view only ever moves by one event, and never raises but `Gap`."""
    feed = Feed(data)
    step = 1 + feed.number(255)
    frames = Deframer(MAX_MESSAGE)
    view = Snapshot()
    while feed:
        try:
            messages = [server_decoder.decode(payload) for payload in frames.feed(feed.take(step))]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, FrameTooLarge):
            return
        for message in messages:
            view = after(view, message)


def after(view: Snapshot, message: ServerMessage) -> Snapshot:
    """The view, as a front end keeps it."""
    assert server_decoder.decode(encode(message)) == message
    if isinstance(message, Reply) and isinstance(message.result, Snapshot):
        return message.result
    if not isinstance(message, Event):
        return view
    try:
        moved = apply(view, message)
    except Gap:
        assert message.seq != view.seq + 1
        return view
    assert moved.seq == view.seq + 1
    assert server_decoder.decode(encode(Reply(1, moved))) == Reply(1, moved)
    return moved


@functools.cache
def messages() -> tuple[bytes, ...]:
    """Each message once, without its frame."""
    return tuple(encode(message) for message in examples(ServerMessage))


def seeds() -> list[bytes]:
    """Each message alone, and some of them in one stream."""
    made = [frame(raw) for raw in messages()]
    return [b"\xff" + raw for raw in made] + [b"\x07" + b"".join(made[:6])]


def build(chance: random.Random) -> bytes:
    """A helper's words, more or less."""
    return shapes.stream(chance, messages(), 1, (b"\xff\xff\xff\xff", b"\x00" * 8))
