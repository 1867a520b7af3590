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
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)")
_COLONS = re.compile(r"(?<![\w.:])[\w.]*+(?::[\w.]*){2,}")
"""Where an IPv6 address may be, perhaps with a word and a colon in front or behind."""
_GROUP = re.compile(r"[0-9A-Fa-f]{0,4}")
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
    """Whether the address is one that everybody has, IPv4 wrapped in IPv6 included."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return tells_nothing(address.ipv4_mapped)
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
        if ":" in text or "-" in text:
            text = _MAC.sub(self._mac, text)
            text = _COLONS.sub(self._between_colons, text)
        return _IPV4.sub(lambda match: self._address(match[0]) or match[0], text) if "." in text else text

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

    def _between_colons(self, match: re.Match[str]) -> str:
        parts = match[0].split(":")
        covered = []
        at = 0
        while at < len(parts):
            end, said = self._longest(parts, at)
            covered.append(said)
            at = end
        return ":".join(covered)

    def _longest(self, parts: list[str], at: int) -> tuple[int, str]:
        """Where the address that begins with part `at` ends, and what to write instead; else that part alone."""
        if _GROUP.fullmatch(parts[at]):
            for end in range(min(at + 9, len(parts)), at + 2, -1):
                # What ends a sentence isn't part of the address.
                written = ":".join(parts[at:end])
                bare = written.rstrip(".")
                if (stand_in := self._address(bare)) is not None:
                    return end, stand_in + written[len(bare) :]
        return at + 1, parts[at]

    def _address(self, written: str) -> str | None:
        """What to write instead; None: it is no address."""
        try:
            found = ip_address(written)
        except ValueError:
            return None
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return written if tells_nothing(found) else self._stand_in("address", str(found))

    def _stand_in(self, kind: str, of: str) -> str:
        number = self.number(of)
        return f"[{kind} {number}]" if number < _MOST else f"[{kind}]"
