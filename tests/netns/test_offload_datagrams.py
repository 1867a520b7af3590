"""The engine's offloads against the real kernel: what a socket sends segmented arrives as it was, and joined."""

from __future__ import annotations

import platform
import secrets
import socket
import struct

import pytest

from bench import engines, link

UDP_SEGMENT, UDP_GRO = 103, 104
"""Linux `include/uapi/linux/udp.h`; the socket module has no names for them."""
SIZE, COUNT, TAIL = 1200, 30, 345


@pytest.mark.parametrize("address", [link.INSIDE, link.INSIDE6], ids=["v4", "v6"])
def test_segmented_datagrams_arrive_whole_and_in_order(address: tuple[str, str]) -> None:
    """Each burst is one write of UDP_SEGMENT; a socket with UDP_GRO gets the same datagrams, several at a time.

    Joined ones need TUN_F_USO, which Linux has from 6.2: before, they come one by one, and that is right too.
    """
    family = socket.AF_INET if address is link.INSIDE else socket.AF_INET6
    joined = 0
    with link.ends() as ends, link.tunnel(ends, engines.ours()):
        with ends.server.entered():
            receiver = socket.socket(family, socket.SOCK_DGRAM)
        with ends.client.entered():
            sender = socket.socket(family, socket.SOCK_DGRAM)
        with receiver, sender:
            receiver.bind((address[1], 0))
            receiver.settimeout(20)
            receiver.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
            sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
            sender.connect(receiver.getsockname()[:2])
            for _ in range(10):
                burst = secrets.token_bytes(SIZE * COUNT + TAIL)
                sender.send(burst)
                got = b""
                while len(got) < len(burst):
                    data, size = _receive(receiver)
                    joined += len(data) > size
                    assert size in {SIZE, TAIL}, "cut where the sender cut"
                    got += data
                assert got == burst
    version = tuple(int(part) for part in platform.release().split(".")[:2])
    assert (joined > 0) == (version >= (6, 2)), "the far engine has joined them"


def _receive(receiver: socket.socket) -> tuple[bytes, int]:
    """What came at once, and the size of each datagram in it."""
    data, ancillary, flags, _ = receiver.recvmsg(1 << 16, socket.CMSG_SPACE(4))
    assert not flags & socket.MSG_TRUNC
    sizes = [struct.unpack("i", value)[0] for level, kind, value in ancillary if (level, kind) == (17, UDP_GRO)]
    return data, sizes[0] if sizes else len(data)
