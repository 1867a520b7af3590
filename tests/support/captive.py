"""A captive portal in the lab's router: no tunnel gets out, and each web page is somebody else's until one signs in."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Self

from support.topology import GATEWAY_PORT, Lab

PAGE = "198.51.100.99"
"""Where the page that never changes would be; nobody has this address."""
URL = f"http://{PAGE}/success.txt"
LOGIN = "http://login.example.net/in?room=7"
_PORT = 8080
_UPLINKS = '{ "r-eth0", "r-wlan0" }'
_TABLE = f"""
table inet captive {{
  counter asked {{ }}
  chain asking {{
    type filter hook prerouting priority -350
    iifname {_UPLINKS} ip daddr {PAGE} tcp dport 80 counter name asked
  }}
  chain steal {{
    type nat hook prerouting priority dstnat - 1
    iifname {_UPLINKS} tcp dport 80 redirect to :{_PORT}
  }}
  chain hold {{
    type filter hook forward priority 0
    iifname {_UPLINKS} oifname "r-gw" udp dport {GATEWAY_PORT} drop
  }}
}}
"""


class CaptivePortal:
    """In force while entered, until `sign_in`."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._signed_in = False
        self.requests: list[bytes] = []
        """What it was asked, up to the end of the head."""

    def __enter__(self) -> Self:
        self._lab.router.nft(_TABLE)
        with self._lab.router.entered():
            self._listener = socket.create_server(("0.0.0.0", _PORT))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10.0)
        self._lab.router.run("nft delete table inet captive")

    def sign_in(self) -> None:
        """From now on it lets everything out, and the page is what it should be."""
        self._signed_in = True
        self._lab.router.nft("flush chain inet captive hold")

    def frames(self) -> int:
        """How many frames have come in that were for the page."""
        listed = json.loads(self._lab.router.run("nft -j list counter inet captive asked").stdout)
        return int(next(item["counter"]["packets"] for item in listed["nftables"] if "counter" in item))

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                # One each: whoever had connected before the client was closed says no more.
                threading.Thread(target=self._speak, args=(peer,), daemon=True).start()

    def _speak(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            peer.settimeout(5.0)
            self.requests.append(_head(peer))
            peer.sendall(self._answer())

    def _answer(self) -> bytes:
        if self._signed_in:
            return b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nsuccess\n"
        return f"HTTP/1.1 302 Found\r\nLocation: {LOGIN}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def _head(peer: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and (part := peer.recv(4096)):
        data += part
    return data
