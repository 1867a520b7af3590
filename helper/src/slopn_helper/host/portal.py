"""Looks for a captive portal: does a web page that never changes come as it should, beside the tunnel? (RFC 8952)

`judge` is pure. `check` sends one plain HTTP/1.1 request (RFC 9112) over a socket of its own that bears the mark by
which the firewall knows it, to addresses it is given, and reads little. No redirect is followed and no name is asked.
Whoever answers may be hostile: what isn't understood says nothing.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import re
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from slopn_helper.host.resolver import SO_MARK
from slopn_wire.profile import IPAddress

SO_BINDTODEVICE = 25
"""socket(7)."""
LIMIT = 4096
"""Bytes of an answer that are read at most."""
LONGEST_LOCATION = 200
"""Characters of a portal's address that a person may be shown."""
EXPECTED = b"success"
"""The page, without white space around it. An empty answer of status 204 is as good."""

_log = logging.getLogger(__name__)


class Found(enum.StrEnum):
    """What stands between this host and the page."""

    NONE = "none"
    """Nobody: it came as it should."""
    PORTAL = "portal"
    """Somebody who answers in its place."""
    UNKNOWN = "unknown"
    """No answer, or one that says nothing."""


class Verdict(Struct, frozen=True):
    """What a check has found."""

    found: Found
    location: str | None = None
    """Where a portal sends people: http or https, plain ASCII, short. Its own word: to be shown, never to be opened."""


WITHIN = 5.0
"""Seconds that the helper gives one check."""
NONE = Verdict(Found.NONE)
UNKNOWN = Verdict(Found.UNKNOWN)


async def check(
    url: str,
    addresses: Sequence[IPAddress],
    *,
    fwmark: int | None,
    device: str | None,
    timeout: float,  # noqa: ASYNC109 - it is shared out among the addresses
) -> Verdict:
    """Ask the host of `url` at `addresses` in turn, until one answer says something; `timeout` seconds for all of them.

    Packets bear `fwmark` and leave by `device` alone, if they are given. Raises nothing: what fails is unknown.
    """
    request, target = _request(url)
    if target is None:
        _log.warning("portal: %r is not a plain http address to look at", url)
        return UNKNOWN
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    for position, address in enumerate(addresses):
        share = (end - loop.time()) / (len(addresses) - position)
        try:
            async with asyncio.timeout(share):
                verdict = await _ask((str(address), target.port or 80), request, target, fwmark, device)
        except (OSError, TimeoutError) as error:
            _log.debug("portal: no answer by way of %s: %r", device, error)
            continue
        if verdict != UNKNOWN:
            return verdict
    return UNKNOWN


def judge(data: bytes, host: str, *, ended: bool) -> Verdict | None:
    """What the answer `data` to a request for a page of `host` says; None: it needs more, unless it has `ended`."""
    if len(head := re.split(rb"\r?\n\r?\n", data, maxsplit=1)) < 2:
        return UNKNOWN if ended else None
    said = _read_head(head[0])
    if said is None:
        return UNKNOWN
    status, fields = said
    body = head[1]
    match status:
        case 200:
            return _judge_page(body, fields, ended=ended)
        case 204:
            return UNKNOWN if body else NONE
        case 301 | 302 | 303 | 307 | 308:
            target = _split(fields.get("location", ""))
            if target is None or target.hostname is None or target.hostname == host.lower():
                return UNKNOWN
            return Verdict(Found.PORTAL, location(fields["location"]))
        case 511:
            return Verdict(Found.PORTAL, location(fields.get("location", "")))
    return UNKNOWN


def location(text: str) -> str | None:
    """An address from a stranger as it may be shown, shortened if need be; None if it may not.

    Without letters that look like others, and without a name before the host that only seems to be it.
    """
    target = _split(text)
    if target is None or target.scheme not in {"http", "https"} or target.hostname is None or "@" in target.netloc:
        return None
    if re.fullmatch(r"[a-z0-9.:\[\]-]+", target.netloc, re.IGNORECASE) is None:
        return None
    for shown in (target, target._replace(query="", fragment=""), target._replace(path="/", query="", fragment="")):
        if len(whole := shown.geturl()) <= LONGEST_LOCATION:
            return whole
    return None


def _judge_page(body: bytes, fields: dict[str, str], *, ended: bool) -> Verdict | None:
    whole = ended
    if "chunked" in fields.get("transfer-encoding", "").lower():
        body, whole = _unchunked(body)
    elif (length := fields.get("content-length", "")).isdecimal() and len(length) < 10:
        whole = len(body) >= int(length)
        body = body[: int(length)]
    page = body.strip()
    if whole and page == EXPECTED:
        return NONE
    if not EXPECTED.startswith(page):
        return Verdict(Found.PORTAL)
    return UNKNOWN if whole or ended else None


def _unchunked(data: bytes) -> tuple[bytes, bool]:
    """What came in chunks, and whether the last one did."""
    body = b""
    while (found := re.match(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r\n", data)) is not None:
        size = int(found[1], 16)
        if size == 0:
            return body, True
        chunk = data[found.end() : found.end() + size]
        body += chunk
        if data[found.end() + size :][:2] != b"\r\n":
            break
        data = data[found.end() + size + 2 :]
    return body, False


_HEAD = re.compile(r"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)")


def _read_head(head: bytes) -> tuple[int, dict[str, str]] | None:
    """Status and fields, names in lower case; None if it isn't HTTP, or says the same thing in two ways."""
    first, *lines = re.split(r"\r?\n", head.decode("latin-1"))
    if (status := _HEAD.fullmatch(first)) is None:
        return None
    fields: dict[str, str] = {}
    for line in lines:
        if (field := _FIELD.fullmatch(line)) is None:
            return None
        name, value = field[1].lower(), field[2].strip(" \t")
        if name in {"content-length", "location"} and fields.get(name, value) != value:
            return None
        fields[name] = value
    return int(status[1]), fields


def _split(url: str) -> SplitResult | None:
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        found = urlsplit(url)
        _ = found.port
    except ValueError:
        return None
    return found


def _request(url: str) -> tuple[bytes, SplitResult | None]:
    target = _split(url)
    if target is None or target.scheme != "http" or target.hostname is None or "@" in target.netloc:
        return b"", None
    page = (target.path or "/") + (f"?{target.query}" if target.query else "")
    lines = (
        f"GET {page} HTTP/1.1",
        f"Host: {target.netloc}",
        "Accept: */*",
        "Accept-Encoding: identity",
        "Cache-Control: no-cache",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii"), target


async def _ask(
    to: tuple[str, int], request: bytes, target: SplitResult, fwmark: int | None, device: str | None
) -> Verdict:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        if fwmark is not None:
            sock.setsockopt(socket.SOL_SOCKET, SO_MARK, fwmark)
        if device is not None:
            sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, device.encode() + b"\0")
        await loop.sock_connect(sock, to)
        await loop.sock_sendall(sock, request)
        data = b""
        while True:
            part = await loop.sock_recv(sock, LIMIT - len(data))
            data += part
            ended = not part or len(data) == LIMIT
            if (verdict := judge(data, target.hostname or "", ended=ended)) is not None:
                return verdict
