"""What libnftables has no words for, asked of the kernel directly: has anything changed, and whose is a table?

linux/netfilter/nf_tables.h.
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


class Kernel:
    """Asks over one socket, in the network namespace of the thread that made it. Raises `OSError`, as all its methods.

    It stays open: whenever a socket of netfilter's is closed, the kernel first finishes what older transactions have left
    to be cleaned up, which takes up to 20 ms.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(netlink.AF_NETLINK, socket.SOCK_RAW, netlink.NETFILTER)
        self._socket.settimeout(_PATIENCE)
        self._sequence = 0

    def close(self) -> None:
        """Ask no more."""
        self._socket.close()

    def __del__(self) -> None:
        # As libnftables' own socket does: whoever made the tables may just end.
        self._socket.close()

    def generation(self) -> int:
        """Another number after each change of any table in this network namespace, whoever made it."""
        body = self._ask(_GET_GENERATION, _NEW_GENERATION, socket.AF_UNSPEC)
        return _number(netlink.attributes(body[4:])[_GENERATION_ID])

    def owner(self, family: str, table: str) -> int | None:
        """The port of the netlink socket that owns a table; None: nobody does, or there is no such table."""
        name = netlink.attribute(_TABLE_NAME, table.encode("ascii") + b"\0")
        try:
            body = self._ask(_GET_TABLE, _NEW_TABLE, netlink.FAMILIES[family], name)
        except FileNotFoundError:
            return None
        port = netlink.attributes(body[4:]).get(_TABLE_OWNER)
        return None if port is None else _number(port)

    def _ask(self, kind: int, answer: int, family: int, body: bytes = b"") -> bytes:
        self._sequence += 1
        self._socket.send(netlink.message(kind, netlink.REQUEST, self._sequence, family, 0, body))
        while True:
            received = list(netlink.messages(self._socket.recv(1 << 16)))
            if not received:
                raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))
            # An answer that came too late for its question is nobody's.
            for message in (one for one in received if one.sequence == self._sequence):
                if message.kind == netlink.ERROR:
                    code = netlink.error_of(message.body) or errno.EPROTO
                    raise OSError(code, os.strerror(code))
                if message.kind == answer:
                    return message.body


def _number(value: bytes) -> int:
    return int(struct.unpack("!I", value)[0])
