"""Addresses and host names, blotted out of text for those who wish it, each by a stand-in of its own.

The same address has the same stand-in as long as the helper runs, so that a reader can still tell one from the other.
Left readable are addresses that tell nothing of anybody: loopback, unspecified, multicast.
"""

from __future__ import annotations

import re
import threading
from ipaddress import IPv4Address, IPv6Address, ip_address

_MOST = 4096
"""Stand-ins that are remembered; later ones have no number."""
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{2,45}+(?:(?<=:)(?:\d{1,3}\.){3}\d{1,3})?")
_MAC = re.compile(r"(?<![0-9A-Fa-f:])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![0-9A-Fa-f:])")
# A path's part isn't one: what follows a single slash.
_HOST = re.compile(
    r"(?:(?<=//)|(?<![\w./-]))((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,10}(?:[A-Za-z]{2,63}|xn--[a-z0-9-]+))"
    r"(?![\w-]|\.\w)"
)
_NO_DOMAINS = re.compile(
    "bak|conf|cfg|db|gz|html|ini|jpg|js|json|lock|log|link|mount|netdev|network|path|pem|pid|png|py|pyc|pyi|rs|service"
    "|slice|so|sock|socket|svg|target|timer|tmp|toml|txt|xml|yaml|yml|zip|zst"
)
"""What stands behind the last dot of names of files, modules and units."""


def tells_nothing(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is one that everybody has."""
    return address.is_loopback or address.is_unspecified or address.is_multicast


class Veil:
    """Remembers which stand-in belongs to what. From any thread."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._lock = threading.Lock()

    def cover(self, text: str) -> str:
        """`text` with stand-ins: `[address 1]`, `[host 2]`."""
        if "." in text:
            text = _HOST.sub(self._host, text)
            text = _IPV4.sub(self._address, text)
        if ":" in text or "-" in text:
            text = _MAC.sub(self._mac, text)
            text = _IPV6.sub(self._address, text)
        return text

    def number(self, of: str) -> int:
        """The number of the stand-in for an address or a name, from 1; beyond those remembered all have the last."""
        with self._lock:
            return (
                self._known.setdefault(of, len(self._known) + 1)
                if len(self._known) < _MOST
                else self._known.get(of, _MOST)
            )

    def _host(self, match: re.Match[str]) -> str:
        name = match[1].lower()
        if _NO_DOMAINS.fullmatch(name.rpartition(".")[2]):
            return match[0]
        return self._stand_in("host", name)

    def _mac(self, match: re.Match[str]) -> str:
        return self._stand_in("address", match[0].lower())

    def _address(self, match: re.Match[str]) -> str:
        written = match[0]
        # What ends a sentence or divides off a port isn't part of the address.
        bare = written if written.endswith("::") else written.rstrip(":")
        try:
            found = ip_address(bare)
        except ValueError:
            return written
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        if tells_nothing(found):
            return written
        return self._stand_in("address", str(found)) + written[len(bare) :]

    def _stand_in(self, kind: str, of: str) -> str:
        number = self.number(of)
        return f"[{kind} {number}]" if number < _MOST else f"[{kind}]"
