"""A recording without addresses and host names, that still replays: each is replaced by a stand-in of the same kind.

Addresses become those of the ranges for tests and documents (RFC 2544, RFC 3849), so that the core takes them as
before; it compares them, and never looks into them.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import msgspec

from slopn_helper.logs.addresses import Veil, tells_nothing

_TESTS4 = int(IPv4Address("198.18.0.0"))
_DOCUMENTS6 = int(IPv6Address("2001:db8::"))


class Cloak:
    """Text and recordings in the same disguise: `[address 7]` in the one is 198.18.0.7 in the other."""

    def __init__(self, veil: Veil) -> None:
        self._veil = veil

    def text(self, text: str) -> str:
        """`text` with stand-ins for people."""
        return self._veil.cover(text)

    def recording(self, raw: bytes) -> bytes:
        """The recorder's lines with stand-ins for the core. What can't be read is left out."""
        lines = []
        for line in raw.splitlines():
            try:
                lines.append(msgspec.json.encode(self._walk(msgspec.json.decode(line))) + b"\n")
            except (msgspec.DecodeError, ValueError, RecursionError):
                lines.append(b"(a damaged line)\n")
        return b"".join(lines)

    def _walk(self, value: Any) -> Any:
        match value:
            case str():
                return self._string(value)
            case list():
                return [self._walk(member) for member in value]
            case dict():
                return {self._string(key): self._walk(member) for key, member in value.items()}
            case _:
                return value

    def _string(self, text: str) -> str:
        try:
            address = ip_address(text)
        except ValueError:
            return self._veil.cover(text)
        if tells_nothing(address):
            return text
        number = self._veil.number(str(address))
        return str(IPv4Address(_TESTS4 + number) if address.version == 4 else IPv6Address(_DOCUMENTS6 + number))
