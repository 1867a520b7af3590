"""Devices and attackers that talk to a real gateway's API from a namespace: real sockets, real TLS, real proofs."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from support.enrolment import Line
from support.gateway_process import ENROLMENT_PORT
from support.netns import Namespace


def tls(*, best: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """A client's that looks at no certificate: who the gateway is, isn't in question here."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = best
    return context


def connect(namespace: Namespace, host: str, source: str = "", timeout: float = 30.0) -> socket.socket:
    """A TCP connection to the API from inside `namespace`. Raises `TimeoutError`, `OSError`."""
    with namespace.entered():
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.settimeout(timeout)
        if source:
            sock.bind((source, 0))
        sock.connect((host, ENROLMENT_PORT))
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


@asynccontextmanager
async def line(namespace: Namespace, host: str, source: str = "") -> AsyncIterator[Line]:
    """A connection to the API over TLS."""
    sock = connect(namespace, host, source)
    try:
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=tls(), server_hostname="gateway", ssl_handshake_timeout=60.0
        )
    except BaseException:
        sock.close()
        raise
    made = Line(reader, writer)
    try:
        yield made
    finally:
        made.close()


async def knock(namespace: Namespace, host: str, source: str, name: bytes, best: ssl.TLSVersion) -> bool:
    """A handshake with `name` as SNI and nothing newer than `best`; whether it is taken."""
    sock = connect(namespace, host, source)
    try:
        _, writer = await asyncio.open_connection(
            sock=sock,
            ssl=tls(best=best),
            server_hostname=cast("str", name),  # as bytes nothing checks what it says
            ssl_handshake_timeout=60.0,
        )
    except (ssl.SSLError, ConnectionError):
        return False
    finally:
        sock.close()
    writer.transport.abort()
    return True


async def say(namespace: Namespace, host: str, source: str, words: bytes) -> bytes:
    """Plain words where TLS is spoken; what comes back first."""
    sock = connect(namespace, host, source)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(sock, words)
        async with asyncio.timeout(60.0):
            return await loop.sock_recv(sock, 4096)
    except ConnectionError:
        return b""
    finally:
        sock.close()
