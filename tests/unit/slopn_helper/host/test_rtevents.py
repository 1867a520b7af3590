"""Netlink messages out of datagrams."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.host.rtevents import messages


def _message(kind: int, body: bytes) -> bytes:
    padded = body + b"\0" * (-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + padded


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=5))
def test_all_come_out_in_order(sent: list[tuple[int, bytes]]) -> None:
    """Whatever their lengths are."""
    assert list(messages(b"".join(_message(*one) for one in sent))) == sent


@given(st.binary(max_size=80))
def test_any_bytes_are_read_to_an_end(data: bytes) -> None:
    """The kernel sends no such thing; nothing hangs or is raised all the same."""
    assert sum(16 + len(body) for _, body in messages(data)) <= len(data)
