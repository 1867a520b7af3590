"""That the real kernel forgets stands in tests/netns/test_firewall_guests.py."""

from __future__ import annotations

import errno
import socket
import struct
from ipaddress import ip_address
from typing import Self

import pytest

from slopn_helper.host.firewall import flows, netlink
from slopn_helper.host.firewall.netlink import attribute

GUEST, OLD, RESOLVER, OTHER = "172.17.0.2", "192.0.2.53", "10.9.0.1", "10.9.0.2"
NEW, GET, DELETE = 0x100, 0x101, 0x102


class FakeKernel:
    """Remembers flows, and is the socket by which it is asked."""

    remembered: tuple[bytes, ...] = ()
    deleted: tuple[bytes, ...] = ()
    errors: dict[int, int] = {}  # noqa: RUF012 (a test sets another)

    def __init__(self, *_: int) -> None:
        self._answer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def settimeout(self, _: float) -> None:
        """Never mind."""

    def send(self, data: bytes) -> None:
        """List, or delete."""
        (asked,) = netlink.messages(data)
        code = self.errors.get(asked.kind, 0)
        error = struct.pack("=IHHIIi", 36, netlink.ERROR, 0, 1, 0, -code) + bytes(16)
        if asked.kind == DELETE:
            type(self).deleted += (asked.body,)
            self._answer = error
        elif code:
            self._answer = error
        else:
            family = asked.body[0]
            self._answer = b"".join(
                netlink.message(NEW, 0, 1, one[0], 0, one[1:]) for one in self.remembered if one[0] == family
            ) + netlink.message(netlink.DONE, 0, 1, 0)

    def recv(self, _: int) -> bytes:
        """The answer."""
        return self._answer


@pytest.fixture(autouse=True)
def _kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket replaced; nothing remembered."""
    monkeypatch.setattr(socket, "socket", FakeKernel)
    for name, value in (("remembered", ()), ("deleted", ()), ("errors", {})):
        monkeypatch.setattr(FakeKernel, name, value)


def flow(asked: str, answers: str, *, protocol: int = 17, port: int = 53, zone: bytes = b"") -> bytes:
    """The family, and what the kernel tells of a flow that a guest began."""
    six = ":" in asked
    source, destination = (3, 4) if six else (1, 2)

    def way(of: int, sender: str, receiver: str, to: int) -> bytes:
        ips = attribute(source, ip_address(sender).packed) + attribute(destination, ip_address(receiver).packed)
        ports = attribute(1, bytes([protocol])) + attribute(2, b"\x30\x39") + attribute(3, struct.pack("!H", to))
        return attribute(0x8000 | of, attribute(0x8001, ips) + attribute(0x8002, ports))

    guest = "fd17::2" if six else GUEST
    body = way(1, guest, asked, port) + way(2, answers, guest, 12345) + attribute(12, b"\0\0\0\7")
    return bytes([10 if six else 2]) + body + (attribute(18, zone) if zone else b"")


def remember(monkeypatch: pytest.MonkeyPatch, *those: bytes) -> None:
    """Let the kernel have these flows."""
    monkeypatch.setattr(FakeKernel, "remembered", those)


def test_what_asks_none_of_the_resolvers_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows to the servers of before, in both families; neither those to the tunnel's nor those to this host."""
    remember(
        monkeypatch,
        flow(OLD, OLD),
        flow("2001:db8::53", "2001:db8::53"),
        flow(RESOLVER, RESOLVER),
        flow(OLD, RESOLVER),
        flow("127.0.0.53", "127.0.0.53"),
    )
    assert flows.forget_dns([ip_address(RESOLVER)]) == 2
    assert [body[0] for body in FakeKernel.deleted] == [2, 10]


def test_without_resolvers_what_was_sent_elsewhere_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """That can't have been anything but ours, or is decided again by whoever else did it."""
    remember(monkeypatch, flow(OLD, OLD), flow(OLD, RESOLVER), flow("2001:db8::53", "fd09::1"))
    assert flows.forget_dns([]) == 2


def test_only_dns_over_udp_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that knows no filters lists everything."""
    remember(monkeypatch, flow(OLD, OTHER, protocol=6), flow(OLD, OTHER, port=443), flow(OLD, OTHER))
    assert flows.forget_dns([]) == 1


def test_a_flow_is_named_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its way there, its number and its zone, so that no other goes in its place."""
    remember(monkeypatch, flow(OLD, OTHER, zone=b"\0\5"))
    flows.forget_dns([])
    named = netlink.attributes(FakeKernel.deleted[0][4:])
    whole = netlink.attributes(flow(OLD, OTHER, zone=b"\0\5")[1:])
    assert named == {kind: whole[kind] for kind in (1, 12, 18)}


def test_a_flow_that_has_gone_meanwhile_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is refused is one."""
    remember(monkeypatch, flow(OLD, OTHER))
    monkeypatch.setattr(FakeKernel, "errors", {DELETE: errno.ENOENT})
    assert flows.forget_dns([]) == 0
    for kind in (GET, DELETE):
        monkeypatch.setattr(FakeKernel, "errors", {kind: errno.EPERM})
        with pytest.raises(PermissionError):
            flows.forget_dns([])
