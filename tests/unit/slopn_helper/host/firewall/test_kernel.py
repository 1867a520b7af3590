"""What the real kernel answers stands in tests/netns/test_firewall_table.py."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Self

import pytest

from slopn_helper.host.firewall import kernel, netlink


class FakeSocket:
    """Answers with one datagram."""

    answer = b""

    def __init__(self, *_: int) -> None:
        self.asked = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def settimeout(self, _: float) -> None:
        """Never mind."""

    def send(self, data: bytes) -> None:
        """Never mind."""

    def recv(self, _: int) -> bytes:
        """The answer."""
        return self.answer


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket replaced."""
    monkeypatch.setattr(socket, "socket", FakeSocket)


def says(monkeypatch: pytest.MonkeyPatch, kind: int, *attributes: tuple[int, bytes]) -> None:
    """Let the kernel answer so."""
    body = b"".join(netlink.attribute(*one) for one in attributes)
    monkeypatch.setattr(FakeSocket, "answer", netlink.message(kind, 0, 1, 1, 0, body))


def test_the_generation_is_the_kernels_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """In network byte order, like all of nftables."""
    says(monkeypatch, 0xA0F, (1, struct.pack("!I", 77)))
    assert kernel.generation() == 77


def test_an_owner_is_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """None for an orphan, and for a table that isn't there."""
    says(monkeypatch, 0xA00, (1, b"slopn\0"), (7, struct.pack("!I", 4711)))
    assert kernel.owner("inet", "slopn") == 4711
    says(monkeypatch, 0xA00, (1, b"slopn\0"))
    assert kernel.owner("inet", "slopn") is None
    refuses(monkeypatch, errno.ENOENT)
    assert kernel.owner("inet", "slopn") is None


def test_a_refusal_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not look like a table without an owner."""
    refuses(monkeypatch, errno.EPERM)
    with pytest.raises(PermissionError):
        kernel.owner("inet", "slopn")
    monkeypatch.setattr(FakeSocket, "answer", b"")
    with pytest.raises(OSError, match=r"[Pp]rotocol"):
        kernel.generation()


def refuses(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let the kernel answer with an error."""
    monkeypatch.setattr(FakeSocket, "answer", struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -code) + bytes(16))
