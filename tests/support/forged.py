"""Datagrams to an engine that say that they come from somebody else."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import socket
import struct
from collections.abc import Iterator

from support.enginepair import PORT, End


def initiation(server_key: bytes) -> bytes:
    """A handshake initiation that means nothing, with the MAC1 that anyone can make who knows the server's key.

    Source: WireGuard whitepaper, 5.4.2 and 5.4.4.
    """
    body = b"\x01\0\0\0" + secrets.token_bytes(112)
    key = hashlib.blake2s(b"mac1----" + server_key).digest()
    return body + hashlib.blake2s(body, key=key, digest_size=16).digest() + bytes(16)


def forged(payload: bytes, source: int, port: int, to: str) -> bytes:
    """The same UDP payload, with a header that says where it comes from; the kernel adds the checksum."""
    udp = struct.pack("!HHHH", port, PORT, 8 + len(payload), 0) + payload
    address = struct.pack("!I", source) + socket.inet_aton(to)
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + address + udp


@contextlib.contextmanager
def raw(client: End) -> Iterator[socket.socket]:
    """A socket on the client's wire that sends whole IP packets."""
    with client.namespace.entered():
        made = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with made:
        yield made
