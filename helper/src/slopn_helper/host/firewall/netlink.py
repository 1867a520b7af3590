"""Netlink messages of nfnetlink, as bytes (netlink(7), linux/netfilter/nfnetlink.h), for what libnftables can't say."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

# Numbers of Linux's own: Python has names for them on Linux alone.
AF_NETLINK = 16
NETFILTER = 12
REQUEST, ACK, CREATE, DUMP = 0x1, 0x4, 0x400, 0x300
ERROR, DONE = 2, 3
SUBSYSTEM_NFTABLES = 10
FAMILIES = {"inet": 1, "netdev": 5}
"""NFPROTO_*, by the names of nft(8)."""


class Message(NamedTuple):
    """One message that came in."""

    kind: int
    sequence: int
    port: int
    """Of the socket that asked for it, or that caused it."""
    body: bytes
    """From after the netlink header on."""


def message(kind: int, flags: int, sequence: int, family: int, resource: int = 0, body: bytes = b"") -> bytes:
    """One message with nfnetlink's own header."""
    head = struct.pack("=IHHII", 20 + len(body), kind, flags, sequence, 0)
    return head + struct.pack("!BBH", family, 0, resource) + body


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram."""
    while len(data) >= 16:
        length, kind, _, sequence, port = struct.unpack_from("=IHHII", data)
        if length < 16:
            return
        yield Message(kind, sequence, port, data[16:length])
        data = data[length + 3 & ~3 :]


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes by kind, without the flags that mark nested ones."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[length + 3 & ~3 :]
    return found


def error_of(body: bytes) -> int:
    """The errno in a message of kind `ERROR`; 0: it was an acknowledgement."""
    return int(-struct.unpack_from("=i", body)[0])
