"""Debian's unbound, unpacked by `make setup`, or the machine's own."""

from __future__ import annotations

from pathlib import Path

from tools.console import CACHE


def _found(package: str, path: str) -> Path:
    unpacked = CACHE / package / "root" / path
    return unpacked if unpacked.exists() else Path("/") / path


SERVER = str(_found("unbound", "usr/sbin/unbound"))
CHECK = str(_found("unbound", "usr/sbin/unbound-checkconf"))
ANCHOR = _found("dns-root-data", "usr/share/dns/root.key")
