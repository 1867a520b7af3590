"""The packages as tests install them, and what a whole computer is made of, to be compared."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from support.boot import BootedSystem
from tools import packages, plain

LATER = "0.99.0"
"""A version after ours."""
_BUNDLES = "SLOPN_BUNDLES"
"""Environment: a folder with frozen bundles (tools/freeze.py). Without it they are tools/plain.py's."""

# Without what the machine gives (/proc, /run, /dev) and what the test itself puts down to install it.
_LISTING = r"""
find / -xdev \( -path /var/tmp -o -path /tmp \) -prune -o ! -type f -printf '%y %p %m %U:%G %l\n'
find / -xdev \( -path /var/tmp -o -path /tmp \) -prune -o -type f -printf 'm %p %m %U:%G\n'
find / -xdev \( -path /var/tmp -o -path /tmp \) -prune -o -type f -print0 | xargs -0 sha256sum | sed -E 's/^(.{16})\S* +(.*)/f \2 \1/'
"""
_STATES = {
    "nft": "nft list ruleset",
    "rules": "ip rule; ip -6 rule",
    "routes": "ip route show table all; ip -6 route show table all | sed -E 's/ expires [0-9]+sec//'",
    "links": "ip -br link",
    "users": "getent passwd; getent group; getent shadow",
    "units": "systemctl list-unit-files --no-legend --no-pager; systemctl list-units --all --plain --no-legend 'slopn*'",
    "sysctls": "sysctl -a --pattern '^net\\.ipv[46]\\.conf\\.(all|default|eth0)\\.'",
}


def built(into: Path, *names: str) -> tuple[list[Path], list[Path]]:
    """.deb files of the packages `names`, in that order: of our version, and of the version `LATER`."""
    frozen = os.environ.get(_BUNDLES)
    bundles = {name: Path(frozen, name) for name in names} if frozen else plain.plain(into / "bundles", names)
    now, later = (
        packages.packages(
            bundles,
            into / (version or "now"),
            formats=("deb",),
            version=version,
            frozen=bool(frozen),
            compression="gzip",
        )
        for version in (None, LATER)
    )
    return now, later


def computer(system: BootedSystem) -> set[str]:
    """Every file with mode, owner and content; rules, routes, users, groups, units, settings: a line each."""
    found = set(system.run(_LISTING, timeout=300.0).stdout.splitlines())
    for title, command in _STATES.items():
        found |= {f"{title}: {line.strip()}" for line in system.run(command).stdout.splitlines()}
    return found


def differences(before: set[str], after: set[str], allowed: Path) -> Iterator[str]:
    """Lines that are in one alone, with - or + before them, and match no pattern of the file `allowed`."""
    patterns = [re.compile(line.split("  #")[0].strip()) for line in allowed.read_text().splitlines() if line]
    lines = sorted([f"- {line}" for line in before - after] + [f"+ {line}" for line in after - before])
    for line in lines:
        if not any(pattern.match(line[2:]) for pattern in patterns):
            yield line
