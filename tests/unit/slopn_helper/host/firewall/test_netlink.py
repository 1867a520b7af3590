from __future__ import annotations

import errno
import struct

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.host.firewall import netlink


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=40)), unique_by=lambda one: one[0]))
def test_attributes_come_out_as_they_went_in(pairs: list[tuple[int, bytes]]) -> None:
    """Whatever their lengths: each is padded to four bytes."""
    packed = b"".join(netlink.attribute(kind, value) for kind, value in pairs)
    assert len(packed) % 4 == 0
    assert netlink.attributes(packed) == dict(pairs)


def test_the_flag_of_nested_attributes_is_no_part_of_their_kind() -> None:
    """NLA_F_NESTED is set by some kernels and not by others."""
    assert netlink.attributes(struct.pack("=HH", 4, 18 | 0x8000)) == {18: b""}


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_messages_come_out_of_one_datagram(bodies: list[bytes]) -> None:
    """In order, with what they are about."""
    datagram = b""
    for number, body in enumerate(bodies):
        one = netlink.message(0xA00, 0, number, 1, 0, body)
        datagram += one + b"\0" * (-len(one) % 4)
    found = list(netlink.messages(datagram))
    assert [(m.kind, m.sequence, m.body[4:]) for m in found] == [(0xA00, n, b) for n, b in enumerate(bodies)]


@given(st.binary(max_size=200))
def test_what_is_cut_short_ends_the_reading(data: bytes) -> None:
    """No length makes it read for ever or past the end."""
    assert sum(len(m.body) for m in netlink.messages(data)) <= len(data)
    netlink.attributes(data)


def test_an_error_is_told_from_an_acknowledgement() -> None:
    """The kernel sends errors negated."""
    assert netlink.error_of(struct.pack("=i", -errno.EPERM) + bytes(16)) == errno.EPERM
    assert netlink.error_of(struct.pack("=i", 0) + bytes(16)) == 0
