"""The link that enrols a device: `slopn://enrol?host=…&port=…&pin=…&token=…`.

Host and port say where the enrolment API is, the pin is SHA-256 over the certificate's SubjectPublicKeyInfo (as in RFC
7469), so no authority is needed; pin and token are Base64url without padding (RFC 4648, section 5).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from ipaddress import IPv6Address, ip_address

from msgspec import Struct

TOKEN_BYTES = 32
PIN_BYTES = 32
MAX_LINK = 512
"""Longest link, in characters: a host name has 253 at most."""

_PREFIX = "slopn://enrol?"
_KEYS = ("host", "port", "pin", "token")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{43}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


class LinkError(ValueError):
    """What is wrong with a link, in a sentence that doesn't repeat it: it may hold a good token."""


class EnrolmentLink(Struct, frozen=True):
    """What a link says. Its text and its `repr` differ: the token shows in neither log nor trace."""

    host: str
    """A name in ASCII or an IP address; IPv6 without brackets."""
    port: int
    pin: bytes
    """32 bytes."""
    token: bytes
    """32 bytes, secret."""

    def __repr__(self) -> str:
        return f"EnrolmentLink(host={self.host!r}, port={self.port}, pin={self.pin.hex()}, token=…)"


def make_link(link: EnrolmentLink) -> str:
    """The link's one text. Raises `LinkError` for a part that can't be."""
    _check(link)
    values = (link.host, str(link.port), _encode(link.pin), _encode(link.token))
    return _PREFIX + "&".join(f"{key}={value}" for key, value in zip(_KEYS, values, strict=True))


def parse_link(text: str) -> EnrolmentLink:
    """What `make_link` made, with spaces around it and its parts in any order. Raises `LinkError`."""
    text = text.strip()
    if len(text) > MAX_LINK:
        raise LinkError(f"An enrolment link has at most {MAX_LINK} characters; this one has {len(text)}.")
    if text[: len(_PREFIX)].lower() != _PREFIX:
        raise LinkError(f"An enrolment link begins with {_PREFIX}")
    parts: dict[str, str] = {}
    for part in text[len(_PREFIX) :].split("&"):
        key, equals, value = part.partition("=")
        if key not in _KEYS:
            raise LinkError(
                "The link has a part that this version doesn't know: was all of it copied, and is SloPN up to date?"
            )
        if key in parts:
            raise LinkError(f"The link names its {key} twice.")
        if not equals or not value:
            raise LinkError(f"The link's {key} is empty.")
        parts[key] = value
    if missing := [key for key in _KEYS if key not in parts]:
        raise LinkError(f"The link lacks its {' and '.join(missing)}: was all of it copied?")
    if not _PORT.fullmatch(parts["port"]):
        raise LinkError("The link's port is no number from 1 to 65535.")
    link = EnrolmentLink(
        parts["host"], int(parts["port"]), _decode("pin", parts["pin"]), _decode("token", parts["token"])
    )
    _check(link)
    return link


def host_problem(host: str) -> str | None:
    """What is wrong with a host, a name in ASCII or an IP address without brackets; None: nothing."""
    try:
        address = ip_address(host)
    except ValueError:
        pass
    else:
        scoped = isinstance(address, IPv6Address) and address.scope_id is not None
        return "A link-local address with a zone means something on one machine alone." if scoped else None
    labels = host.split(".")
    # A last label of digits alone makes it an IPv4 address to many programs (WHATWG URL, section 3.5).
    if len(host) <= 253 and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdecimal():
        return None
    return "The host must be a name in ASCII (a.example.org, xn--… for other letters) or an IP address."


def _check(link: EnrolmentLink) -> None:
    if (problem := host_problem(link.host)) is not None:
        raise LinkError(problem)
    if not 1 <= link.port <= 65535:
        raise LinkError("The link's port is no number from 1 to 65535.")
    if len(link.pin) != PIN_BYTES or len(link.token) != TOKEN_BYTES:
        raise LinkError(f"Pin and token have {PIN_BYTES} bytes each.")


def _encode(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def _decode(key: str, text: str) -> bytes:
    if _BASE64URL.fullmatch(text):
        value = urlsafe_b64decode(f"{text}=")
        # 43 letters hold two bits more than 32 bytes: only one of the four spellings is right.
        if _encode(value) == text:
            return value
    raise LinkError(f"The link's {key} isn't 32 bytes in Base64url: was all of it copied?")
