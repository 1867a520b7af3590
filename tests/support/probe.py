"""Single packets and connections out of a namespace, and whether they were let go."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator

from support.netns import Namespace

V4, V6 = socket.AF_INET, socket.AF_INET6
SO_MARK = 36


def send(host: Namespace, to: tuple[str, int], *, mark: int = 0, source_port: int = 0, device: str = "") -> int:
    """Send one datagram; 0 or the errno."""
    family = V6 if ":" in to[0] else V4
    with host.entered(), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if device:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        if source_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", source_port))
        try:
            sock.sendto(b"probe", to)
        except OSError as error:
            return error.errno or -1
    return 0


def ask(
    host: Namespace, to: tuple[str, int], payload: bytes = b"probe", *, mark: int = 0, seconds: float = 5.0
) -> bytes | None:
    """Send one datagram and return the answer; None when it is refused or, after `seconds`, none came."""
    family = V6 if ":" in to[0] else V4
    with host.entered(), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        sock.settimeout(seconds)
        try:
            sock.sendto(payload, to)
            return sock.recv(2048)
        except OSError:
            return None


def connect(host: Namespace, to: tuple[str, int], *, seconds: float = 5.0) -> int:
    """Connect by TCP; 0 or the errno, ETIMEDOUT after `seconds`."""
    with host.entered(), socket.socket(V6 if ":" in to[0] else V4) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(to)
        except TimeoutError:
            return errno.ETIMEDOUT
        except OSError as error:
            return error.errno or -1
    return 0


def dns(name: str = "web.example.net") -> bytes:
    """A query for an A record."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def ping(host: Namespace, to: str, *, seconds: float = 5.0) -> bool:
    """Whether an echo request is answered."""
    return host.run(["ping", "-c1", f"-W{seconds}", to], check=False).returncode == 0


@contextlib.contextmanager
def listener(host: Namespace, port: int) -> Iterator[socket.socket]:
    """A TCP server on all addresses of both families."""
    with host.entered(), socket.create_server(("::", port), family=V6, dualstack_ipv6=True) as server:
        server.settimeout(5)
        yield server
