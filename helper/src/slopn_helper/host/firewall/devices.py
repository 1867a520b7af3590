"""The devices by which frames leave this host, in the network namespace of the calling thread (rtnetlink(7)).

Those of the host's own making that lead to other devices (bridges, bonds, VLANs) are none: their frames leave by those.
A device of an unknown kind is one.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import NamedTuple

from slopn_helper.host.firewall import FirewallError, netlink

_ROUTE = 0
_GET_LINK, _NEW_LINK = 18, 16
_NAME, _MASTER, _LINK_INFO, _EXT_MASK = 3, 10, 18, 29
_KIND = 1
_SKIP_STATISTICS = 8
_LOOPBACK = 772

_LEAD_ELSEWHERE = {"bond", "bridge", "dummy", "ifb", "nlmon", "team", "tun", "vcan", "vlan", "vrf", "wireguard"}
_PORTS_OF_GUESTS = {"veth"}
"""Of a bridge: the other end is a container's, whose frames go on by the bridge's other ports."""


class Device(NamedTuple):
    """Another device under the same name has another number."""

    number: int
    name: str


def ways_out(beside: str | None) -> frozenset[Device]:
    """All but the tunnel's interface, `beside`. Raises `FirewallError`."""
    try:
        links = _links()
    except OSError as error:
        raise FirewallError(f"the host's devices can't be listed: {error}") from error
    bridges = {link.number for link in links if link.kind == "bridge"}
    return frozenset(
        Device(link.number, link.name)
        for link in links
        if not link.loopback
        and link.name != beside
        and link.kind not in _LEAD_ELSEWHERE
        and not (link.kind in _PORTS_OF_GUESTS and link.master in bridges)
    )


class _Link(NamedTuple):
    number: int
    name: str
    kind: str
    """Empty for hardware."""
    master: int
    loopback: bool


def _links() -> list[_Link]:
    body = struct.pack("=BBHiII", socket.AF_UNSPEC, 0, 0, 0, 0, 0)
    body += netlink.attribute(_EXT_MASK, struct.pack("=I", _SKIP_STATISTICS))
    head = struct.pack("=IHHII", 16 + len(body), _GET_LINK, netlink.REQUEST | netlink.DUMP, 1, 0)
    found: list[_Link] = []
    with socket.socket(netlink.AF_NETLINK, socket.SOCK_RAW, _ROUTE) as sock:
        sock.settimeout(2)
        sock.send(head + body)
        while True:
            for message in netlink.messages(sock.recv(1 << 17)):
                if message.kind == netlink.DONE:
                    return found
                if message.kind == netlink.ERROR and (code := netlink.error_of(message.body)):
                    raise OSError(code, os.strerror(code))
                if message.kind == _NEW_LINK:
                    found.append(_link(message.body))


def _link(body: bytes) -> _Link:
    _, _, kind, index, _, _ = struct.unpack_from("=BBHiII", body)
    attributes = netlink.attributes(body[16:])
    if _NAME not in attributes:
        raise OSError(errno.EPROTO, "a device without a name")
    info = netlink.attributes(attributes.get(_LINK_INFO, b""))
    master = struct.unpack("=I", attributes[_MASTER])[0] if _MASTER in attributes else 0
    return _Link(index, _text(attributes[_NAME]), _text(info.get(_KIND, b"")), master, kind == _LOOPBACK)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="surrogateescape")
