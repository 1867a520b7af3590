"""Hears of others' changes of our tables, where the kernel can't forbid them: before Linux 6.9.

The kernel tells each transaction of nftables to whoever listens (nfnetlink's group 7), and by which netlink socket it
came: so our own are told apart, in any namespace of processes.
"""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import threading
from collections.abc import Callable, Iterable

from slopn_helper.host.firewall import netlink

log = logging.getLogger(__name__)

_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_NFTABLES_GROUP = 7
_SO_RCVBUFFORCE = 33
_BUFFER = 4 << 20
_NEW_GENERATION = netlink.SUBSYSTEM_NFTABLES << 8 | 15
_TABLE_NAME = 1
"""The attribute has this number in messages of tables, chains, rules and sets alike."""


class Guard:
    """Calls `changed` from its own thread after each transaction of somebody else that touches one of `tables`.

    `tables` are pairs of family and name, `own` the port of our socket. Listens in the network namespace of the thread
    that makes it, until `close`. Raises `OSError`.
    """

    def __init__(self, tables: Iterable[tuple[str, str]], own: int, changed: Callable[[], None]) -> None:
        self._hears = _Hearing(tables, own)
        self._changed = changed
        self._socket = socket.socket(netlink.AF_NETLINK, socket.SOCK_RAW, netlink.NETFILTER)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            self._socket.bind((0, 0))
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _NFTABLES_GROUP)
        except BaseException:
            self._socket.close()
            raise
        self._near, self._far = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, name="nftables-guard", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more; `changed` isn't called afterwards."""
        self._near.close()
        self._thread.join()
        self._far.close()
        self._socket.close()

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._far, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._far in ready:
                    return
                if self._foreign():
                    self._changed()

    def _foreign(self) -> bool:
        try:
            return self._hears.foreign(self._socket.recv(1 << 17))
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                log.warning("firewall: what others change can't be heard: %s", error)
            # Something was lost: it may have been just that.
            return True


class _Hearing:
    """Which transactions touch our tables and aren't ours. Pure."""

    def __init__(self, tables: Iterable[tuple[str, str]], own: int) -> None:
        self._tables = {(netlink.FAMILIES[family], name.encode("ascii") + b"\0") for family, name in tables}
        self._own = own
        self._touched = False

    def foreign(self, datagram: bytes) -> bool:
        """Whether a transaction of somebody else's that touches our tables has ended in this datagram."""
        found = False
        for message in netlink.messages(datagram):
            if message.kind == _NEW_GENERATION:
                found = found or (self._touched and message.port != self._own)
                self._touched = False
            elif message.kind >> 8 == netlink.SUBSYSTEM_NFTABLES and len(message.body) >= 4:
                name = netlink.attributes(message.body[4:]).get(_TABLE_NAME, b"")
                self._touched = self._touched or (message.body[0], name) in self._tables
        return found
