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

from slopn_helper.host.firewall import netlink

_MSG_DONTWAIT = 0x40
"""A number of Linux's own: Python has a name for it on Linux alone."""
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NEW_TABLE = netlink.SUBSYSTEM_NFTABLES << 8
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


def claim(fd: int, family: str, table: str) -> bool:
    """Own a table through the netlink socket `fd`: a new empty one, an orphan, or one already owned.

    False where the kernel is older than 6.9, or the table is there and was made without `persist`: then it stays as it
    is. Raises `PermissionError` when another living process owns it or CAP_NET_ADMIN is missing, else `OSError`.
    """
    attributes = netlink.attribute(_TABLE_NAME, table.encode("ascii") + b"\0")
    attributes += netlink.attribute(_TABLE_FLAGS, struct.pack("!I", _OWNER | _PERSIST))
    create = netlink.REQUEST | netlink.ACK | netlink.CREATE
    nftables = netlink.SUBSYSTEM_NFTABLES
    batch = (
        netlink.message(_BATCH_BEGIN, netlink.REQUEST, 1, socket.AF_UNSPEC, nftables)
        + netlink.message(_NEW_TABLE, create, 2, netlink.FAMILIES[family], 0, attributes)
        + netlink.message(_BATCH_END, netlink.REQUEST, 3, socket.AF_UNSPEC, nftables)
    )
    with socket.socket(fileno=os.dup(fd)) as sock:
        sock.send(batch)
        error = _first_error(sock)
    if error in {errno.EOPNOTSUPP, errno.EINVAL}:
        return False
    if error:
        raise OSError(error, os.strerror(error))
    return True


def port(fd: int) -> int:
    """The number that the kernel knows a netlink socket by; 0 before its first message."""
    with socket.socket(fileno=os.dup(fd)) as sock:
        return int(sock.getsockname()[0])


def _is_netfilter(fd: int) -> bool:
    with socket.socket(fileno=os.dup(fd)) as sock:
        return sock.family == netlink.AF_NETLINK and sock.proto == netlink.NETFILTER


def _first_error(sock: socket.socket) -> int:
    """The first error among the answers, which are all there once the batch was sent; 0: all went well."""
    first = 0
    while True:
        try:
            data = sock.recv(1 << 16, _MSG_DONTWAIT)
        except BlockingIOError:
            return first
        for message in netlink.messages(data):
            if message.kind == netlink.ERROR:
                first = first or netlink.error_of(message.body)
