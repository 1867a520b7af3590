"""What the real kernel answers stands in tests/netns/test_firewall_table.py."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from slopn_helper.host.firewall import netlink
from slopn_helper.host.firewall.kernel import Kernel


class FakeSocket:
    """Answers with one datagram after another."""

    answers: tuple[bytes, ...] = ()

    def __init__(self, *_: int) -> None:
        self.open = True

    def settimeout(self, _: float) -> None:
        """Never mind."""

    def send(self, data: bytes) -> None:
        """Never mind."""

    def recv(self, _: int) -> bytes:
        """The next answer."""
        first, *rest = self.answers
        type(self).answers = tuple(rest)
        return first

    def close(self) -> None:
        """The end."""
        self.open = False


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket replaced."""
    monkeypatch.setattr(socket, "socket", FakeSocket)


def says(monkeypatch: pytest.MonkeyPatch, kind: int, *attributes: tuple[int, bytes], sequence: int = 1) -> None:
    """Let the kernel answer so."""
    body = b"".join(netlink.attribute(*one) for one in attributes)
    monkeypatch.setattr(FakeSocket, "answers", (netlink.message(kind, 0, sequence, 1, 0, body),))


def test_the_generation_is_the_kernels_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """In network byte order, like all of nftables."""
    says(monkeypatch, 0xA0F, (1, struct.pack("!I", 77)))
    assert Kernel().generation() == 77


def test_an_owner_is_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """None for an orphan, and for a table that isn't there."""
    says(monkeypatch, 0xA00, (1, b"slopn\0"), (7, struct.pack("!I", 4711)))
    assert Kernel().owner("inet", "slopn") == 4711
    says(monkeypatch, 0xA00, (1, b"slopn\0"))
    assert Kernel().owner("inet", "slopn") is None
    refuses(monkeypatch, errno.ENOENT)
    assert Kernel().owner("inet", "slopn") is None


def test_a_refusal_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not look like a table without an owner."""
    refuses(monkeypatch, errno.EPERM)
    with pytest.raises(PermissionError):
        Kernel().owner("inet", "slopn")
    monkeypatch.setattr(FakeSocket, "answers", (b"",))
    with pytest.raises(OSError, match=r"[Pp]rotocol"):
        Kernel().generation()


def test_an_answer_to_an_older_question_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket stays open, and somebody may have given up waiting."""
    says(monkeypatch, 0xA0F, (1, struct.pack("!I", 76)), sequence=0)
    late = FakeSocket.answers
    says(monkeypatch, 0xA0F, (1, struct.pack("!I", 77)))
    monkeypatch.setattr(FakeSocket, "answers", (*late, *FakeSocket.answers))
    assert Kernel().generation() == 77


def refuses(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let the kernel answer with an error."""
    monkeypatch.setattr(FakeSocket, "answers", (struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -code) + bytes(16),))
