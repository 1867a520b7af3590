"""By which way the question about a captive portal leaves: the device it is told, under the mark it is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from slopn_helper.host.portal import NONE, UNKNOWN, check
from support.netns import Namespace, veth

PAGE4, PAGE6 = "198.51.100.99", "2001:db8:ffff::99"
MARK = 51820


class Page:
    """A web page that never changes, on any address of a namespace; who has asked for it."""

    def __init__(self, namespace: Namespace) -> None:
        self.asked_by: list[str] = []
        with namespace.entered():
            self._listener = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10.0)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, sender = self._listener.accept()
                with peer:
                    peer.settimeout(5.0)
                    peer.recv(4096)
                    self.asked_by.append(sender[0].removeprefix("::ffff:"))
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsuccess\n")


@pytest.fixture
def world() -> Iterator[tuple[Namespace, Page]]:
    """A client whose best way is eth0 and whose other one is wlan0, and a page behind both."""
    with Namespace("client") as client, Namespace("router") as router:
        for number, device in enumerate(("eth0", "wlan0"), start=1):
            veth(client, device, router, f"r-{device}")
            router.ip(f"addr add 10.{number}.0.1/24 dev r-{device}\naddr add fd0{number}::1/64 dev r-{device} nodad")
            client.ip(f"""
                addr add 10.{number}.0.2/24 dev {device}
                addr add fd0{number}::2/64 dev {device} nodad
                route add default via 10.{number}.0.1 metric {number}00
                route add default via fd0{number}::1 metric {number}00
            """)
        router.ip(f"addr add {PAGE4}/32 dev lo\naddr add {PAGE6}/128 dev lo nodad")
        page = Page(router)
        try:
            yield client, page
        finally:
            page.close()


@pytest.mark.parametrize(
    ("device", "address", "sender"),
    [
        ("eth0", PAGE4, "10.1.0.2"),
        ("wlan0", PAGE4, "10.2.0.2"),
        ("wlan0", PAGE6, "fd02::2"),
        (None, PAGE6, "fd01::2"),
    ],
)
def test_it_leaves_by_the_device_under_the_mark(
    world: tuple[Namespace, Page], device: str | None, address: str, sender: str
) -> None:
    """Of each family, whatever the routes prefer; a firewall that lets the mark alone out lets it out."""
    client, page = world
    client.nft(f"""
        table inet t {{ chain output {{ type filter hook output priority 0
          tcp dport 80 meta mark != {MARK} reject with tcp reset
        }}
        }}
    """)
    url = "http://detectportal.example.net/success.txt"
    with client.entered():
        for mark, verdict in ((None, UNKNOWN), (MARK, NONE)):
            found = asyncio.run(check(url, [ip_address(address)], fwmark=mark, device=device, timeout=20))
            assert found == verdict
    assert page.asked_by == [sender]
