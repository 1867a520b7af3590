"""Within TLS: what isn't a request ends the conversation, and what is one has bounds."""

from __future__ import annotations

import struct

import pytest

from attacks.answers import farewell, kind
from attacks.field import Field
from slopn_helper.ipc.session import SHORT
from slopn_wire.codec import encode
from slopn_wire.commands import Connect, Request, RevokeDevice
from slopn_wire.devices import Right
from slopn_wire.events import Done, ErrorKind, Refused, Reply
from slopn_wire.framing import MAX_REQUEST, frame


def is_no_request(field: Field, raw: bytes) -> None:
    """Said by a paired front end with every right: it is told so once, and the connection ends."""
    mallory = field.user()
    with mallory.secured(field.pair(mallory).shown) as line:
        line.socket.sendall(raw)
        assert farewell(line) is ErrorKind.INVALID
    field.refused(mallory, "frame")


def test_huge_length(field: Field) -> None:
    """A frame that announces four gigabytes.

    Refused by its length, before anything of it is kept.
    """
    is_no_request(field, b"\xff\xff\xff\xff")


def test_beyond_the_limit(field: Field) -> None:
    """A frame one byte above the limit of a mebibyte.

    Refused by its length.
    """
    is_no_request(field, struct.pack("!I", MAX_REQUEST + 1))


def test_unpaired_length(field: Field) -> None:
    """A program without a certificate announces a large frame.

    Without a certificate a request has eight kilobytes.
    """
    mallory = field.user()
    with mallory.secured() as line:
        line.socket.sendall(struct.pack("!I", SHORT + 1))
        assert farewell(line) is ErrorKind.INVALID
    field.refused(mallory, "frame")


def test_empty_frame(field: Field) -> None:
    """A frame without content.

    It is no request.
    """
    is_no_request(field, struct.pack("!I", 0))


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'], ids=["lists", "objects"])
def test_deep_json(field: Field, bracket: bytes) -> None:
    """JSON nested a hundred thousand times.

    Refused: nothing of ours is nested so, and the parser doesn't follow.
    """
    is_no_request(field, frame(b'{"id":1,"command":{"type":"import_profile","name":' + bracket * 100_000))


def test_deep_json_in_little(field: Field) -> None:
    """The same in a request that is small enough to be any command.

    Refused: the parser doesn't follow.
    """
    is_no_request(field, frame(b'{"id":1,"command":{"type":"apply_settings","settings":' + b"[" * 8000))


@pytest.mark.parametrize("name", [b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80"], ids=["bytes", "overlong", "surrogate"])
def test_invalid_text(field: Field, name: bytes) -> None:
    """Text that isn't UTF-8: stray bytes, an overlong slash, half of a surrogate pair.

    It is no request.
    """
    is_no_request(field, frame(b'{"id":1,"command":{"type":"connect","profile":"' + name + b'"}}'))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":1,"command":{"type":"connect","profile":null,"force":true}}',
        b'{"id":1,"command":{"type":"get_snapshot"},"uid":0}',
        b'{"id":1,"command":{"type":"apply_settings","settings":{"kill_switch":"off","backdoor":1}}}',
        b'{"id":1,"command":{"type":"shell","run":"id"}}',
        b'{"id":1,"command":{"type":"snapshot"}}',
        b'{"id":1}',
        b"[]",
        b"null",
        b"}",
    ],
    ids=["member", "uid", "setting", "command", "answer", "nothing", "list", "null", "no JSON"],
)
def test_unknown_members(field: Field, raw: bytes) -> None:
    """Members, commands and documents that the protocol doesn't know; what a client mustn't say.

    They are no request: nothing is ignored in silence.
    """
    is_no_request(field, frame(raw))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999", "1.5", "1e3", "0x10", "9" * 5000])
def test_no_numbers(field: Field, number: str) -> None:
    """Numbers that aren't any: NaN, infinity, hexadecimal, a fraction for a count, one of five thousand digits.

    They are no request.
    """
    is_no_request(field, frame(f'{{"id":1,"command":{{"type":"pause","seconds":{number}}}}}'.encode()))


_HUGE = (2**31, 2**53, 2**63, 2**64, 10**400, -1, -(2**63), -(10**400))


@pytest.mark.parametrize(
    "huge", _HUGE, ids=[f"{huge:.0e}" if abs(huge) < 10**300 else f"{str(huge)[0]}e400" for huge in _HUGE]
)
def test_huge_numbers(field: Field, huge: int) -> None:
    """Whole numbers beyond every register, wherever a command takes one.

    Each gets an answer, as a number of its size does; none meets a defect.
    """
    mallory = field.user()
    held = field.pair(mallory)
    for members in (
        f'"type":"pause","seconds":{huge}',
        f'"type":"watch","after":{huge},"epoch":"x"',
        f'"type":"follow_logs","after":{huge}',
        f'"type":"get_logs","since":{huge if abs(huge) < 2**63 else 1e300}',
        f'"type":"follow_logs","since":{-huge if abs(huge) < 2**63 else -1e300}',
    ):
        with mallory.secured(held.shown) as line:
            line.socket.sendall(frame(f'{{"id":1,"command":{{{members}}}}}'.encode()))
            reply = line.read()
            assert isinstance(reply, Reply)
            line.socket.sendall(frame(b'{"id":2,"command":{"type":"get_snapshot"}}'))
            while not isinstance(reply, Reply) or reply.id != 2:
                reply = line.read()
                assert reply is not None, members


@pytest.mark.parametrize("number", [0, -1, 2**53, 10**400])
def test_foreign_ids(field: Field, number: int) -> None:
    """A request under the connection's own number 0, or one that JSON's readers can't keep.

    It is no request: the answer would be taken for another's.
    """
    is_no_request(field, frame(f'{{"id":{number},"command":{{"type":"get_snapshot"}}}}'.encode()))


def test_after_the_end(field: Field) -> None:
    """A forbidden frame, and good requests behind it in the same packet.

    Nothing is read after a frame that is no request.
    """
    mallory = field.user()
    held = field.pair(mallory)
    other = field.pair(mallory)
    with mallory.secured(held.shown) as line:
        line.socket.sendall(frame(b"?") + frame(encode(Request(1, RevokeDevice(other.device)))))
        assert farewell(line) is ErrorKind.INVALID
    assert other.device in field.devices(mallory.uid)


def test_replayed_key(field: Field) -> None:
    """A request is sent again under its key, or another one under the same key.

    Carried out once: the retry gets the first one's answer, another command a refusal.
    """
    mallory = field.user()
    held, other = field.pair(mallory), field.pair(mallory)
    with mallory.secured(held.shown) as line:
        assert line.ask(RevokeDevice(other.device), "key") == Done()
        assert line.ask(RevokeDevice(other.device), "key") == Done()
        assert kind(line.ask(RevokeDevice(held.device), "key")) is ErrorKind.INVALID
        assert kind(line.ask(RevokeDevice(other.device), "another")) is ErrorKind.INVALID
    assert field.devices(mallory.uid) == [held.device]


def test_key_of_another(field: Field) -> None:
    """Somebody uses the key of another front end's request, to get at its answer or to keep it from being carried out.

    A key is its front end's own: the same from anybody else is another key.
    """
    alice, mallory = field.user(), field.user()
    hers, his, victim = field.pair(alice), field.pair(mallory), field.pair(alice)
    own = field.pair(mallory)
    with mallory.secured(his.shown) as line:
        assert line.ask(RevokeDevice(own.device), "key") == Done()
        assert kind(line.ask(RevokeDevice(victim.device), "key")) is ErrorKind.INVALID
    with alice.secured(hers.shown) as line:
        assert line.ask(RevokeDevice(victim.device), "key") == Done()
    assert field.devices(alice.uid) == [hers.device]


def test_answer_for_another_key(field: Field) -> None:
    """A front end without a right uses the key of one of the same user that has it.

    Rights come first, and the key is the other front end's own.
    """
    mallory = field.user()
    full, weak = field.pair(mallory), field.pair(mallory, [Right.VIEW])
    with mallory.secured(full.shown) as line:
        answered = line.ask(Connect("gone"), "key")
        assert isinstance(answered, Refused)
    with mallory.secured(weak.shown) as line:
        assert kind(line.ask(Connect("gone"), "key")) is ErrorKind.NOT_PERMITTED
