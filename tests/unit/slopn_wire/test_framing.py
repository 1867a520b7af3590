from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_wire.framing import MAX_MESSAGE, MAX_REQUEST, Deframer, FrameTooLarge, frame


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` cut at the given places."""
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 300), max_size=8))
def test_frames_come_out_as_they_went_in(payloads: list[bytes], cuts: list[int]) -> None:
    """However the stream is cut, the frames are the same, in order."""
    deframer = Deframer(40)
    stream = b"".join(map(frame, payloads))
    assert [payload for chunk in chunks(stream, cuts) for payload in deframer.feed(chunk)] == payloads


def test_length_is_four_bytes_big_endian() -> None:
    """The layout on the wire, byte for byte."""
    assert frame(b"ab") == b"\x00\x00\x00\x02ab"
    assert frame(b"") == b"\x00\x00\x00\x00"


def test_half_a_frame_waits() -> None:
    """Nothing comes out before the last byte is in."""
    deframer = Deframer(10)
    whole = frame(b"hello")
    assert list(deframer.feed(whole[:-1])) == []
    assert list(deframer.feed(whole[-1:])) == [b"hello"]


def test_limit_is_the_largest_that_passes() -> None:
    """A frame of exactly the limit passes, one byte more is refused as soon as its length is known."""
    assert list(Deframer(5).feed(frame(b"12345"))) == [b"12345"]
    with pytest.raises(FrameTooLarge, match="a frame of 6 bytes; at most 5"):
        list(Deframer(5).feed(b"\x00\x00\x00\x06"))


def test_frames_before_a_too_large_one_come_out() -> None:
    """What was whole before the mistake is not lost."""
    frames = Deframer(5).feed(frame(b"ok") + frame(b"123456"))
    assert next(frames) == b"ok"
    with pytest.raises(FrameTooLarge):
        next(frames)


def test_the_helpers_frames_are_the_larger_ones() -> None:
    """A reply holds what many requests brought in."""
    assert MAX_REQUEST < MAX_MESSAGE
