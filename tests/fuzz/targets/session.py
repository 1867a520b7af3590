"""The session: however a client's bytes are cut, the same requests come out, and rubbish ends the conversation once."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable

from fuzz import shapes
from fuzz.bytestream import Feed
from slopn_helper.ipc.session import CONNECTION_ID, MAX_ID, Session
from slopn_wire.codec import encode, server_decoder
from slopn_wire.commands import Request
from slopn_wire.events import Refused, Reply
from slopn_wire.framing import MAX_MESSAGE, Deframer, frame
from support.wire import examples

CUTS = 8


def target(data: bytes) -> None:
    """Cut by the first bytes' numbers, and whole: the same."""
    feed = Feed(data)
    files = feed.number(1) == 1
    sizes = [1 + feed.number(63) for _ in range(CUTS)]
    stream = feed.rest()
    cut = heard(pieces(stream, sizes), files=files)
    assert cut == heard([stream], files=files)
    for number, item in enumerate(cut):
        if isinstance(item, Refused):
            assert number == len(cut) - 1, "something came after the refusal"
        else:
            assert CONNECTION_ID < item.id <= MAX_ID


def heard(chunks: Iterable[bytes], *, files: bool) -> list[Request | Refused]:
    """What a session makes of a stream; checks on the way that it is over after a refusal, and can say so."""
    session = Session(files=files)
    given = 0
    found: list[Request | Refused] = []
    for chunk in chunks:
        was_open = session.open
        new = list(session.receive(chunk))
        assert was_open or not new, "something was read after the end"
        found += new
        given += len(chunk)
        assert 0 <= session.waiting <= given
        assert session.open == (not any(isinstance(item, Refused) for item in found))
    if found and isinstance(found[-1], Refused):
        (payload,) = Deframer(MAX_MESSAGE).feed(bytes(session.farewell(found[-1])))
        assert server_decoder.decode(payload) == Reply(CONNECTION_ID, found[-1])
    return found


def pieces(stream: bytes, sizes: list[int]) -> Iterable[bytes]:
    """The stream in pieces of these sizes, again and again."""
    start = 0
    while start < len(stream):
        for size in sizes:
            yield stream[start : start + size]
            start += size


@functools.cache
def requests() -> tuple[bytes, ...]:
    """Each command once, without its frame."""
    return tuple(encode(request) for request in examples(Request))


def seeds() -> list[bytes]:
    """Each command alone, some in one stream, some of it broken."""
    made = [frame(raw) for raw in requests()]
    head = bytes(range(1, 2 + CUTS))
    deep = frame(b'{"id":1,"command":' + b"[" * 3000)
    streams = [*made, b"".join(made), made[0] + b"\xff\xff\xff\xff" + made[1], made[0] + frame(b"{}") + made[1], deep]
    return [head + stream for stream in streams]


def build(chance: random.Random) -> bytes:
    """A client's words, more or less."""
    return shapes.stream(chance, requests(), 1 + CUTS, (b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 8))
