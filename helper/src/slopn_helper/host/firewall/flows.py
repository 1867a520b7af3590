"""The DNS flows that the kernel remembers, and how to make it forget them (ctnetlink: linux/netfilter/nfnetlink_conntrack.h).

Where a flow goes is decided by its first packet. A program that keeps its port would thus go on asking the server of before,
for as long as it asks: each packet, a refused one too, keeps the flow in memory. TCP needs no help; its connections end.

In the network namespace of the calling thread.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from slopn_helper.host.firewall import netlink
from slopn_wire.profile import IPAddress

_CONNTRACK = 1 << 8
_NEW, _GET, _DELETE = _CONNTRACK, _CONNTRACK | 1, _CONNTRACK | 2
_NESTED = 0x8000
_ORIGINAL, _REPLY, _ID, _ZONE, _FILTER = 1, 2, 12, 18, 25
_IP, _PROTO = 1, 2
_ADDRESSES: dict[int, tuple[int, int]] = {socket.AF_INET: (1, 2), socket.AF_INET6: (3, 4)}
"""The attributes of source and destination."""
_NUMBER, _TO_PORT = 1, 3
_BY_NUMBER_AND_TO_PORT = 1 << 3 | 1 << 5
_UDP, _DNS = 17, 53
_PATIENCE = 2.0


class _Flow(NamedTuple):
    asked: IPAddress
    answers: IPAddress
    family: int
    name: bytes
    """What it is deleted by."""


def forget_dns(resolvers: Collection[IPAddress]) -> int:
    """Forget the flows that ask none of `resolvers`; without any, those that ask somebody else than they were sent to.

    How many they were. Those to this host itself stay. Raises `OSError`.
    """
    with socket.socket(netlink.AF_NETLINK, socket.SOCK_RAW, netlink.NETFILTER) as sock:
        sock.settimeout(_PATIENCE)
        flows = [flow for family in _ADDRESSES for flow in _flows(sock, family)]
        return sum(_forget(sock, flow) for flow in flows if _is_stale(flow, resolvers))


def _is_stale(flow: _Flow, resolvers: Collection[IPAddress]) -> bool:
    if flow.answers.is_loopback:
        return False
    return flow.answers not in resolvers if resolvers else flow.answers != flow.asked


def _flows(sock: socket.socket, family: int) -> Iterator[_Flow]:
    """All of UDP to port 53. A kernel before 5.8 lists every flow there is."""
    proto = netlink.attribute(_NUMBER, bytes([_UDP])) + netlink.attribute(_TO_PORT, struct.pack("!H", _DNS))
    body = netlink.attribute(_NESTED | _ORIGINAL, netlink.attribute(_NESTED | _PROTO, proto))
    body += netlink.attribute(_NESTED | _FILTER, netlink.attribute(1, struct.pack("=I", _BY_NUMBER_AND_TO_PORT)))
    sock.send(netlink.message(_GET, netlink.REQUEST | netlink.DUMP, 1, family, 0, body))
    while True:
        for message in netlink.messages(sock.recv(1 << 17)):
            if message.kind == netlink.DONE:
                return
            if message.kind == netlink.ERROR:
                _raise(netlink.error_of(message.body))
            if message.kind == _NEW and (flow := _flow(message.body)) is not None:
                yield flow


def _flow(body: bytes) -> _Flow | None:
    family = body[0]
    found = netlink.attributes(body[4:])
    original, reply = netlink.attributes(found[_ORIGINAL]), netlink.attributes(found[_REPLY])
    proto = netlink.attributes(original[_PROTO])
    if family not in _ADDRESSES or proto[_NUMBER] != bytes([_UDP]) or proto.get(_TO_PORT) != struct.pack("!H", _DNS):
        return None
    source, destination = _ADDRESSES[family]
    name = netlink.attribute(_NESTED | _ORIGINAL, found[_ORIGINAL])
    name += b"".join(netlink.attribute(kind, found[kind]) for kind in (_ID, _ZONE) if kind in found)
    asked = ip_address(netlink.attributes(original[_IP])[destination])
    return _Flow(asked, ip_address(netlink.attributes(reply[_IP])[source]), family, name)


def _forget(sock: socket.socket, flow: _Flow) -> int:
    sock.send(netlink.message(_DELETE, netlink.REQUEST | netlink.ACK, 2, flow.family, 0, flow.name))
    for message in netlink.messages(sock.recv(1 << 16)):
        if message.kind == netlink.ERROR and (code := netlink.error_of(message.body)):
            if code != errno.ENOENT:
                _raise(code)
            return 0
    return 1


def _raise(code: int) -> None:
    if code:
        raise OSError(code, os.strerror(code))
