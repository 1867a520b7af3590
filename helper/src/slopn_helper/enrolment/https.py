"""One request to an enrolment API: HTTP/1.1 (RFC 9112) over TLS 1.3, to an address, with the certificate's key pinned.

No authority is asked: the pin says who it must be (as RFC 7469 has it), and TLS proves that the far end has that key. Until
it has, no byte of the request leaves. Answers are bounded, and a connection carries one request.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import http.client
import io
import socket
import ssl
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate
from msgspec import Struct

from slopn_helper.host.resolver import SO_MARK
from slopn_wire.profile import IPAddress

LARGEST = 256 << 10
"""Bytes of an answer, head and all; more is refused unread."""
CONNECT_WITHIN = 5.0
"""Seconds until TLS stands, for each address."""
ANSWER_WITHIN = 10.0
"""Seconds from then on until all of the answer is there."""
LONGEST_RETRY = 6 * 3600.0
"""Seconds: a server may ask to be left alone no longer than this."""


class HttpsError(Exception):
    """No answer; the message says why, without a full stop."""


class NotReached(HttpsError):
    """Nobody took the connection: another address may do."""


class WrongPin(HttpsError):
    """Somebody else answers in the gateway's place, or its certificate has another key by now. Nothing was sent."""


class Answer(Struct, frozen=True):
    """What came back."""

    status: int
    body: bytes
    retry_after: float | None = None
    """Seconds."""


async def post(address: IPAddress, port: int, host: str, pin: bytes, path: str, body: bytes, fwmark: int) -> Answer:
    """`POST` JSON to the server at `address`, called `host`. Raises `HttpsError`."""
    async with _connected(address, port, host, fwmark) as (reader, writer):
        _check_pin(writer, pin)
        shown = f"[{host}]" if ":" in host else host
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {shown}:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
        )
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                writer.write(head.encode("ascii") + body)
                await writer.drain()
                raw = await _all(reader)
        except TimeoutError:
            raise HttpsError(f"it gave no whole answer within {ANSWER_WITHIN:.0f} s") from None
        except (OSError, ssl.SSLError) as error:
            raise HttpsError(f"the connection broke off ({error})") from None
    return parse(raw)


def parse(raw: bytes) -> Answer:
    """An answer as it came. Raises `HttpsError` for one that is cut short, or isn't HTTP."""
    response = http.client.HTTPResponse(cast("socket.socket", _Received(raw)), method="POST")
    try:
        response.begin()
        body = response.read()
    except (http.client.HTTPException, ValueError, OSError) as error:
        raise HttpsError(f"its answer is cut short or isn't HTTP ({type(error).__name__})") from None
    return Answer(response.status, body, _seconds(response.getheader("Retry-After", "")))


@contextlib.asynccontextmanager
async def _connected(
    address: IPAddress, port: int, host: str, fwmark: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    writer: asyncio.StreamWriter | None = None
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, fwmark)
        async with asyncio.timeout(CONNECT_WITHIN):
            await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
            # An address is no name to send along: `server_hostname` then only stands in for one.
            reader, writer = await asyncio.open_connection(sock=sock, ssl=_context(), server_hostname=host)
    except TimeoutError:
        sock.close()
        raise NotReached(f"{address} doesn't answer") from None
    except (OSError, ValueError) as error:
        sock.close()
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise NotReached(f"{address} can't be reached ({why})") from None
    try:
        yield reader, writer
    finally:
        # Nothing is said at the end: an answer was whole, or is none.
        writer.transport.abort()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # The pin takes the place of name and authority; the far end's proof of its key is checked all the same.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _check_pin(writer: asyncio.StreamWriter, pin: bytes) -> None:
    shown: Any = writer.get_extra_info("ssl_object")
    certificate = shown.getpeercert(binary_form=True) if shown is not None else None
    if certificate is None or not hmac.compare_digest(pin_of(certificate), pin):
        raise WrongPin("its certificate has another key than the link or the profile says, so nothing was sent")


def pin_of(certificate: bytes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo of a certificate in DER; empty for one that can't be read."""
    try:
        key = load_der_x509_certificate(certificate).public_key()
        return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    except (ValueError, UnsupportedAlgorithm):
        return b""


async def _all(reader: asyncio.StreamReader) -> bytes:
    raw = b""
    while part := await reader.read(LARGEST):
        raw += part
        if len(raw) > LARGEST:
            raise HttpsError(f"its answer is larger than {LARGEST >> 10} KiB")
    return raw


def _seconds(text: str) -> float | None:
    return min(float(text), LONGEST_RETRY) if text.isascii() and text.isdecimal() and len(text) < 10 else None


class _Received:
    """What `HTTPResponse` reads from instead of a socket."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)
