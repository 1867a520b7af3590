from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Self

import pytest

from slopn_helper.host.firewall import FirewallError, devices, netlink

Links = list[tuple[int, str, str, int]]
"""Number, name, kind, number of the bridge or bond that it is a port of."""

HOST: Links = [
    (1, "lo", "loopback", 0),
    (2, "eth0", "", 0),
    (3, "wlan0", "", 0),
    (4, "wwan0", "wwan", 0),
    (5, "ppp0", "ppp", 0),
    (6, "slopn0", "tun", 0),
    (7, "br0", "bridge", 0),
    (8, "eth1", "", 7),
    (9, "veth1", "veth", 7),
    (10, "vnet0", "tun", 7),
    (11, "veth2", "veth", 0),
    (12, "bond0", "bond", 0),
    (13, "eth2", "", 12),
    (14, "eth0.5", "vlan", 0),
    (15, "wg9", "wireguard", 0),
    (16, "macvlan0", "macvlan", 0),
    (17, "new0", "a kind of next year", 0),
    (18, "veth3", "veth", 12),
]


def link(number: int, name: str, kind: str, master: int) -> bytes:
    """One RTM_NEWLINK."""
    body = struct.pack("=BBHiII", 0, 0, 772 if kind == "loopback" else 1, number, 0, 0)
    body += netlink.attribute(3, name.encode() + b"\0")
    if master:
        body += netlink.attribute(10, struct.pack("=I", master))
    if kind not in {"", "loopback"}:
        body += netlink.attribute(18 | 0x8000, netlink.attribute(1, kind.encode() + b"\0"))
    return struct.pack("=IHHII", 16 + len(body), 16, 2, 1, 0) + body


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[bytes]], None]:
    """Answers the next question with these datagrams."""

    def answer(datagrams: list[bytes]) -> None:
        monkeypatch.undo()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for datagram in datagrams:
            theirs.send(datagram)
        theirs.close()
        monkeypatch.setattr(socket, "socket", lambda *_: Deaf(ours))

    return answer


class Deaf:
    """A socket that doesn't mind what is sent."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.recv = sock.recv
        self.settimeout = sock.settimeout

    def send(self, data: bytes) -> int:
        """Never mind."""
        return len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


DONE = struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0)


def test_frames_leave_by_what_leads_out_of_the_host(kernel: Callable[[list[bytes]], None]) -> None:
    """Cards, modems and the like, a container's or guest's own end of a cable, and what nobody has heard of yet.

    Neither loopback, tunnels and what only leads to other devices, nor the guests' ports of a bridge.
    """
    messages = [link(*one) for one in HOST]
    kernel([b"".join(messages[:6]), b"".join(messages[6:]), DONE])
    found = devices.ways_out("slopn0")
    assert {device.name for device in found} == {
        "eth0", "wlan0", "wwan0", "ppp0", "eth1", "veth2", "eth2", "macvlan0", "new0", "veth3",
    }  # fmt: skip
    assert devices.Device(2, "eth0") in found


def test_the_tunnel_is_none_whatever_it_is(kernel: Callable[[list[bytes]], None]) -> None:
    """It is known by its name."""
    kernel([link(2, "eth0", "", 0) + link(6, "slopn0", "of our own", 0), DONE])
    assert {device.name for device in devices.ways_out("slopn0")} == {"eth0"}
    kernel([link(2, "eth0", "", 0) + link(6, "slopn0", "of our own", 0), DONE])
    assert {device.name for device in devices.ways_out(None)} == {"eth0", "slopn0"}


def test_a_refusal_is_a_firewall_error(kernel: Callable[[list[bytes]], None]) -> None:
    """Not an empty list, which would guard nothing."""
    kernel([struct.pack("=IHHIIi", 20, 2, 0, 1, 0, -errno.ENOBUFS)])
    with pytest.raises(FirewallError, match="can't be listed"):
        devices.ways_out(None)
    kernel([struct.pack("=IHHII", 32, 16, 2, 1, 0) + bytes(16)])
    with pytest.raises(FirewallError, match="without a name"):
        devices.ways_out(None)
