"""Ownership of an nftables table: nobody else can change it, and it outlives its owner.

The kernel knows an owner by the netlink socket that claimed the table, so the claim must go out on libnftables' own
socket, which is found among the process's descriptors. libnftables itself can't say it: `persist` (Linux 6.9) came to
its language in 1.1.0 only. Message formats: linux/netfilter/nf_tables.h, nfnetlink.h, netlink(7).

An owner's table is skipped by everybody's `flush ruleset`, and any other change of it is refused with EPERM, to root
as well. When the owner dies, in whatever way, the table stays in force without an owner: whoever comes next may claim
or remove it. `owner` alone, without `persist`, would remove it instead and open the host: it is never asked for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from pathlib import Path

# Numbers of Linux's own: Python has names for them on Linux alone.
_AF_NETLINK = 16
_MSG_DONTWAIT = 0x40
_NETLINK_NETFILTER = 12
_NFPROTO_INET = 1
_SUBSYSTEM_NFTABLES = 10
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NEW_TABLE = _SUBSYSTEM_NFTABLES << 8
_REQUEST, _ACK, _CREATE = 0x1, 0x4, 0x400
_NLMSG_ERROR = 2
_TABLE_NAME, _TABLE_FLAGS = 1, 2
_OWNER, _PERSIST = 0x2, 0x4


def netfilter_sockets() -> set[int]:
    """The descriptors of this process that are netfilter's netlink sockets."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        # Others may close theirs meanwhile, and the directory's own descriptor is in the list.
        with contextlib.suppress(OSError):
            if str(entry.readlink()).startswith("socket:") and _is_netfilter(int(entry.name)):
                found.add(int(entry.name))
    return found


def claim(fd: int, table: str) -> bool:
    """Own the inet table `table` through the netlink socket `fd`: a new empty one, an orphan, or one already owned.

    False where the kernel is older than 6.9, or the table is there and was made without `persist`: then it stays as it
    is. Raises `PermissionError` when another living process owns it or CAP_NET_ADMIN is missing, else `OSError`.
    """
    attributes = _attribute(_TABLE_NAME, table.encode("ascii") + b"\0")
    attributes += _attribute(_TABLE_FLAGS, struct.pack("!I", _OWNER | _PERSIST))
    batch = (
        _message(_BATCH_BEGIN, _REQUEST, 1, socket.AF_UNSPEC, _SUBSYSTEM_NFTABLES)
        + _message(_NEW_TABLE, _REQUEST | _ACK | _CREATE, 2, _NFPROTO_INET, 0, attributes)
        + _message(_BATCH_END, _REQUEST, 3, socket.AF_UNSPEC, _SUBSYSTEM_NFTABLES)
    )
    with socket.socket(fileno=os.dup(fd)) as sock:
        sock.send(batch)
        error = _first_error(sock)
    if error in {errno.EOPNOTSUPP, errno.EINVAL}:
        return False
    if error:
        raise OSError(error, os.strerror(error))
    return True


def _is_netfilter(fd: int) -> bool:
    with socket.socket(fileno=os.dup(fd)) as sock:
        return sock.family == _AF_NETLINK and sock.proto == _NETLINK_NETFILTER


def _first_error(sock: socket.socket) -> int:
    """The first error among the answers, which are all there once the batch was sent; 0: all went well."""
    first = 0
    while True:
        try:
            data = sock.recv(1 << 16, _MSG_DONTWAIT)
        except BlockingIOError:
            return first
        while len(data) >= 20:
            length, kind = struct.unpack_from("=IH", data)
            if kind == _NLMSG_ERROR:
                (code,) = struct.unpack_from("=i", data, 16)
                first = first or -code
            data = data[max(length + 3 & ~3, 16) :]


def _message(kind: int, flags: int, sequence: int, family: int, resource: int, body: bytes = b"") -> bytes:
    head = struct.pack("=IHHII", 20 + len(body), kind, flags, sequence, 0)
    return head + struct.pack("!BBH", family, 0, resource) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)
