"""The kernel's own notifications of links, addresses, routes and rules (rtnetlink(7)), as type and body."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator

LINK, NEIGH, IPV4_ADDRESS, IPV4_ROUTE, IPV4_RULE = 0x1, 0x4, 0x10, 0x40, 0x80
IPV6_ADDRESS, IPV6_ROUTE, IPV6_RULE = 0x100, 0x400, 0x40000
"""Groups to listen to, as bits: RTMGRP_* and, for the rules, 1 << (RTNLGRP_* - 1)."""

_HEADER = struct.Struct("=IHHII")
_SO_RCVBUFFORCE = 33


@contextlib.contextmanager
def notifications(groups: int) -> Iterator[socket.socket]:
    """A socket that doesn't wait, on which the notifications of `groups` come in."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0) as sock:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 20)
        sock.bind((0, groups))
        yield sock


def received(sock: socket.socket) -> Iterator[tuple[int, bytes] | None]:
    """All notifications that wait, as `messages`; None: some were lost."""
    while True:
        try:
            data, sender = sock.recvfrom(65536)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            yield None
            continue
        if sender[0] == 0:
            yield from messages(data)


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each netlink message; what is cut short ends the datagram."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            return
        yield kind, data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3
