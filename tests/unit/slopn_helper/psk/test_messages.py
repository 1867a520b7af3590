from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.psk.kem import CIPHERTEXT, ENCAPSULATION_KEY
from slopn_helper.psk.messages import LARGEST, Accept, Confirm, Done, Exchange, Offer, decode, encode

_EXCHANGE = Exchange(b"run-of-8", 2**63)
_ALL = (
    Offer(_EXCHANGE, b"p" * 8, b"k" * ENCAPSULATION_KEY, b"m" * 16),
    Accept(_EXCHANGE, b"n" * 16, b"c" * CIPHERTEXT, b"m" * 32),
    Confirm(_EXCHANGE, b"m" * 32),
    Done(_EXCHANGE, b"m" * 32),
)


def test_what_is_encoded_is_decoded() -> None:
    """Each message comes back, and none is longer than the smallest MTU allows."""
    for message in _ALL:
        datagram = encode(message)
        assert len(datagram) <= LARGEST
        assert decode(datagram) == message


def test_the_layout_stays() -> None:
    """The first bytes on the wire: name, version, kind, suite, run, number."""
    assert encode(_ALL[2])[:22] == b"SPK\x01\x03\x01run-of-8\x80" + bytes(7)


def test_another_version_suite_kind_or_length_is_nothing() -> None:
    """Nothing is guessed from what isn't exactly one of ours."""
    for message in _ALL:
        datagram = encode(message)
        for at in (0, 3, 4, 5):
            wrong = bytearray(datagram)
            wrong[at] = 0xEE
            assert decode(bytes(wrong)) is None
        assert decode(datagram[:-1]) is None
        assert decode(datagram + b"\0") is None


@given(st.binary(max_size=1500), st.sampled_from((b"", b"SPK\x01\x01\x01", b"SPK\x01\x04\x01")))
def test_no_datagram_raises(rest: bytes, head: bytes) -> None:
    """Any bytes are a message or nothing."""
    message = decode(head + rest)
    assert message is None or encode(message) == head + rest
