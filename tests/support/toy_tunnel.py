"""A tunnel for tests of what surrounds tunnels: packets in, packets out, in the shape of WireGuard and without its secrecy."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import socket
import struct
import threading
from typing import Self

from support.gateway import CLIENT4, CLIENT6, TUNNEL4, TUNNEL6
from support.netns import Namespace
from support.topology import DNS4, GATEWAY4, GATEWAY6, GATEWAY_PORT

INTERFACE = "slopn0"
FAR_INTERFACE = "toy0"
MARK = 51820

_SO_MARK = 36
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_HEADER = b"\x04\0\0\0" + bytes(12)
_TAG = bytes(16)
# Not each other's: an ICMP error in the tunnel may quote one of its packets, which would come out as what is in it.
_HIDE = bytes((byte + 0x5A) % 256 for byte in range(256))
_SHOW = bytes((byte - 0x5A) % 256 for byte in range(256))
_INSIDE = {CLIENT4, CLIENT6}

_NAT = f"""
table inet toy {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    iifname "{FAR_INTERFACE}" ip daddr {TUNNEL4} meta l4proto {{ tcp, udp }} th dport 53 dnat ip to {DNS4}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat
    iifname "{FAR_INTERFACE}" meta nfproto ipv4 snat ip to {GATEWAY4}
    iifname "{FAR_INTERFACE}" meta nfproto ipv6 snat ip6 to {GATEWAY6}
  }}
}}
"""


class ToyTunnel:
    """`slopn0` in the client's namespace and its other end in the gateway's, with NAT; up while entered.

    The client's socket is marked as the engine's is. It has no addresses and routes until somebody gives it some.
    """

    def __init__(self, client: Namespace, gateway: Namespace, *, endpoint: str = GATEWAY4) -> None:
        self._client = client
        self._gateway = gateway
        self._endpoint = endpoint
        self._near: _End | None = None
        self._far: _End | None = None

    def __enter__(self) -> Self:
        with self._gateway.entered():
            sock = _socket(self._endpoint)
            sock.bind((self._endpoint, GATEWAY_PORT))
            self._far = _End(FAR_INTERFACE, sock, None)
        self._gateway.ip(f"""
            addr add {TUNNEL4}/24 dev {FAR_INTERFACE}
            addr add {TUNNEL6}/64 dev {FAR_INTERFACE} nodad
            link set {FAR_INTERFACE} mtu 1380 up
        """)
        self._gateway.nft(_NAT)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._far is not None:
            self._far.close()
        self._gateway.run("nft delete table inet toy", check=False)

    def start(self) -> None:
        """Make the client's end: a new device, a new socket."""
        with self._client.entered():
            sock = _socket(self._endpoint)
            sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
            self._near = _End(INTERFACE, sock, (self._endpoint, GATEWAY_PORT))

    def stop(self) -> None:
        """End the client's end as a SIGKILL would: the device goes with its descriptor."""
        if self._near is not None:
            self._near.close()
            self._near = None

    def address(self) -> None:
        """Give the client's device its addresses, without any route."""
        self._client.ip(f"""
            addr replace {CLIENT4}/32 dev {INTERFACE}
            addr replace {CLIENT6}/128 dev {INTERFACE} nodad
            link set {INTERFACE} mtu 1380 up
        """)


class _End:
    """One TUN device, one UDP socket, and the thread between them."""

    def __init__(self, device: str, sock: socket.socket, peer: tuple[str, int] | None) -> None:
        self._sock = sock
        self._peer = peer
        self._tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self._tun, _TUNSETIFF, struct.pack("16sH22x", device.encode(), _IFF_TUN | _IFF_NO_PI))
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=f"toy-{device}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._wake.close()
        self._thread.join()
        self._woken.close()
        self._sock.close()
        os.close(self._tun)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ, None)
            selector.register(self._tun, selectors.EVENT_READ, self._out)
            selector.register(self._sock, selectors.EVENT_READ, self._in)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    try:
                        key.data()
                    except OSError as error:
                        # EBADFD: the device was deleted; the rest are a network that comes and goes.
                        if error.errno == 77 and key.fileobj == self._tun:
                            selector.unregister(self._tun)

    def _out(self) -> None:
        packet = os.read(self._tun, 2048)
        if self._peer is not None:
            padded = packet + bytes(-len(packet) % 16)
            self._sock.sendto(_HEADER + padded.translate(_HIDE) + _TAG, self._peer)

    def _in(self) -> None:
        message, peer = self._sock.recvfrom(2048)
        if peer[0] in _INSIDE:
            # A program has sent to the gateway's port through the tunnel: that is no peer.
            return
        if self._peer is None or self._peer[1] != GATEWAY_PORT:
            self._peer = peer[:2]
        packet = message[len(_HEADER) : -len(_TAG)].translate(_SHOW)
        with contextlib.suppress(IndexError):
            version = packet[0] >> 4
            length = int.from_bytes(packet[2:4] if version == 4 else packet[4:6], "big") + (0 if version == 4 else 40)
            os.write(self._tun, packet[:length])


def _socket(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    return sock
