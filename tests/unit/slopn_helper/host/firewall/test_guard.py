from __future__ import annotations

import errno
import logging
import queue
import socket
import struct
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from slopn_helper.host.firewall import guard, netlink

OURS, OTHER = 4711, 12
FAMILIES = (("inet", "slopn"), ("netdev", "slopn"))


def told(kind: int, family: int, name: str, port: int) -> bytes:
    """A message about an object of a table."""
    one = bytearray(netlink.message(0xA00 | kind, 0, 1, family, 0, netlink.attribute(1, name.encode() + b"\0")))
    struct.pack_into("=I", one, 12, port)
    return bytes(one) + b"\0" * (-len(one) % 4)


def ended(port: int) -> bytes:
    """The message that ends a transaction."""
    one = bytearray(netlink.message(0xA0F, 0, 1, 0, 0, netlink.attribute(1, struct.pack("!I", 5))))
    struct.pack_into("=I", one, 12, port)
    return bytes(one)


class Heard:
    """A guard on a cable of which the test holds the other end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        near, self.kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.calls: queue.Queue[None] = queue.Queue()
        with monkeypatch.context() as patch:
            real = {"SOCK_RAW": socket.SOCK_RAW, "SOL_SOCKET": socket.SOL_SOCKET, "socketpair": socket.socketpair}
            patch.setattr(guard, "socket", SimpleNamespace(socket=lambda *_: Listening(near), **real))
            self.guard = guard.Guard(FAMILIES, OURS, lambda: self.calls.put(None))

    def alarms(self, *datagrams: bytes) -> int:
        """How many calls so many datagrams made."""
        for datagram in datagrams:
            self.kernel.send(datagram)
        # One alarm of the test's own shows that all before it have been heard.
        self.kernel.send(told(2, 1, "slopn", OTHER) + ended(OTHER))
        before = 0
        while True:
            self.calls.get(timeout=5)
            try:
                while True:
                    before += 1
                    self.calls.get(timeout=0.05)
            except queue.Empty:
                return before - 1


class Listening:
    """A netlink socket as far as a guard wants one."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.fileno, self.close, self.recv = sock.fileno, sock.close, sock.recv
        self.options: list[object] = []

    def setsockopt(self, *option: object) -> None:
        """Never mind."""
        self.options.append(option)

    def bind(self, _: object) -> None:
        """Never mind."""


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    """A guard that listens."""
    made = Heard(monkeypatch)
    yield made
    made.guard.close()
    made.kernel.close()


def test_a_foreign_transaction_on_our_tables_is_an_alarm(heard: Heard) -> None:
    """Of any object in either table; one alarm a transaction, also if it comes in pieces."""
    assert heard.alarms(told(6, 1, "slopn", OTHER) + told(6, 1, "slopn", OTHER) + ended(OTHER)) == 1
    assert heard.alarms(told(0, 5, "slopn", OTHER), told(3, 1, "other", OTHER), ended(OTHER)) == 1


def test_our_own_is_none(heard: Heard) -> None:
    """Told by the socket that it came through, which is the same in every namespace of processes."""
    assert heard.alarms(told(2, 1, "slopn", OURS) + told(0, 1, "slopn", OURS) + ended(OURS)) == 0


def test_other_tables_are_others_business(heard: Heard) -> None:
    """Another name, or our name in another family; and nothing of it is left for the next transaction."""
    assert heard.alarms(told(2, 1, "filter", OTHER) + told(2, 2, "slopn", OTHER) + ended(OTHER)) == 0
    assert heard.alarms(told(2, 1, "slopn", OURS) + ended(OURS), told(2, 1, "filter", OTHER) + ended(OTHER)) == 0


def test_what_was_lost_may_have_been_the_one(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """When the kernel had to drop messages the rules are put back unseen; that is nothing to complain of."""
    heard = Heard(monkeypatch)
    failing = iter([OSError(errno.ENOBUFS, "no buffer space")])
    real = heard.guard._socket.recv

    def recv(size: int) -> bytes:
        for error in failing:
            real(size)
            raise error
        return real(size)

    monkeypatch.setattr(heard.guard._socket, "recv", recv)
    with caplog.at_level(logging.WARNING):
        assert heard.alarms(ended(OTHER)) == 1
    assert caplog.text == ""
    heard.guard.close()
    heard.kernel.close()
