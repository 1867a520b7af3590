"""What libnftables has no words for, asked of the kernel directly: has anything changed, and whose is a table?

In the network namespace of the calling thread. linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from slopn_helper.host.firewall import netlink

_NEW_TABLE, _GET_TABLE, _NEW_GENERATION, _GET_GENERATION = (
    netlink.SUBSYSTEM_NFTABLES << 8 | kind for kind in (0, 1, 15, 16)
)
_TABLE_NAME, _TABLE_OWNER = 1, 7
_GENERATION_ID = 1
_PATIENCE = 2.0


def generation() -> int:
    """Another number after each change of any table in this network namespace, whoever made it. Raises `OSError`."""
    body = _ask(_GET_GENERATION, _NEW_GENERATION, socket.AF_UNSPEC)
    return _number(netlink.attributes(body[4:])[_GENERATION_ID])


def owner(family: str, table: str) -> int | None:
    """The port of the netlink socket that owns a table; None: nobody does, or there is no such table.

    Raises `OSError`.
    """
    name = netlink.attribute(_TABLE_NAME, table.encode("ascii") + b"\0")
    try:
        body = _ask(_GET_TABLE, _NEW_TABLE, netlink.FAMILIES[family], name)
    except FileNotFoundError:
        return None
    port = netlink.attributes(body[4:]).get(_TABLE_OWNER)
    return None if port is None else _number(port)


def _ask(kind: int, answer: int, family: int, body: bytes = b"") -> bytes:
    with socket.socket(netlink.AF_NETLINK, socket.SOCK_RAW, netlink.NETFILTER) as sock:
        sock.settimeout(_PATIENCE)
        sock.send(netlink.message(kind, netlink.REQUEST, 1, family, 0, body))
        for message in netlink.messages(sock.recv(1 << 16)):
            if message.kind == netlink.ERROR:
                code = netlink.error_of(message.body) or errno.EPROTO
                raise OSError(code, os.strerror(code))
            if message.kind == answer:
                return message.body
    raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))


def _number(value: bytes) -> int:
    return int(struct.unpack("!I", value)[0])
