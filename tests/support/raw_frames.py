"""Ethernet frames by a packet socket, and which of them arrive at the other end of the cable."""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from support.netns import Namespace
from support.probe import SO_MARK, V4, V6

_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_QDISC_BYPASS = 20
_PACKET_IGNORE_OUTGOING = 23
_BROADCAST = b"\xff" * 6
_SOURCE = b"\x02\0\0\0\0\x07"


class Frame(NamedTuple):
    """What to send: `ethertype` is on the wire, `told` what the kernel is told that it is (0: it looks itself)."""

    ethertype: int
    body: bytes
    to: bytes = _BROADCAST
    told: int = 0
    mark: int = 0
    bypass: bool = False
    """Past the device's queue."""


def udp(to: tuple[str, int], *, source_port: int = 9, **how: int) -> Frame:
    """A datagram; the source address is nobody's."""
    datagram = struct.pack("!HHHH", source_port, to[1], 8, 0)
    if ":" in to[0]:
        addresses = socket.inet_pton(V6, "fe80::7") + socket.inet_pton(V6, to[0])
        head = struct.pack("!IHBB", 6 << 28, len(datagram), 17, 64)
        return Frame(0x86DD, head + addresses + datagram, **how)  # type: ignore[arg-type]
    addresses = socket.inet_pton(V4, "192.0.2.99") + socket.inet_pton(V4, to[0])
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0)
    return Frame(0x0800, head + addresses + datagram, **how)  # type: ignore[arg-type]


def router_solicitation() -> Frame:
    """Of neighbour discovery."""
    addresses = socket.inet_pton(V6, "fe80::7") + socket.inet_pton(V6, "ff02::2")
    head = struct.pack("!IHBB", 6 << 28, 8, 58, 255)
    return Frame(0x86DD, head + addresses + struct.pack("!BBHI", 133, 0, 0, 0), b"\x33\x33\0\0\0\x02")


def arrived(sender: Namespace, device: str, wire: Namespace, far: str, frames: Sequence[Frame]) -> list[bool]:
    """Send `frames` from `device` and say which came out at `far`. An ARP frame behind them shows that all have gone by."""
    tags = [secrets.token_bytes(8) for _ in range(len(frames) + 1)]
    with _listening(wire, far) as ear:
        for frame, tag in zip((*frames, Frame(0x0806, b"")), tags, strict=True):
            _send(sender, device, frame, tag)
        seen: set[bytes] = set()
        while tags[-1] not in seen:
            data = ear.recv(2048)
            seen |= {tag for tag in tags if tag in data}
    return [tag in seen for tag in tags[:-1]]


@contextmanager
def _listening(wire: Namespace, device: str) -> Iterator[socket.socket]:
    with wire.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as sock:
        sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        sock.bind((device, _ETH_P_ALL))
        sock.settimeout(5)
        yield sock


def _send(sender: Namespace, device: str, frame: Frame, tag: bytes) -> None:
    with sender.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, frame.mark)
        sock.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, int(frame.bypass))
        sock.bind((device, frame.told))
        try:
            sock.send(frame.to + _SOURCE + struct.pack("!H", frame.ethertype) + frame.body + tag)
        except OSError:
            # ENOBUFS is what a sender past the queue is told of a frame that was dropped: the other end says which.
            return
