"""The packages as tests install them from a signed repository, and what a whole computer is made of, to be compared."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from support.boot import BootedSystem
from tools import packages, plain, repository
from tools.signing import Key

LATER = "0.99.0"
"""A version after ours."""
_BUNDLES = "SLOPN_BUNDLES"
NEWER = "trixie"
"""A release after the one that tests run on."""
_SHOP = "/srv/shop"
_KEYRING = "/usr/share/keyrings/slopn-archive-keyring.gpg"
_SOURCES = "/etc/apt/sources.list.d/slopn.sources"
"""Environment: a folder with frozen bundles (tools/freeze.py). Without it they are tools/plain.py's."""

# Without what the machine gives (/proc, /run, /dev) and what the test itself puts down to install it.
_LISTING = r"""
find / -xdev \( -path /var/tmp -o -path /tmp \) -prune -o ! -type f -printf '%y %p %m %U:%G %l\n'
find / -xdev \( -path /var/tmp -o -path /tmp \) -prune -o -type f -printf 'm %p %m %U:%G\n'
find / -xdev \( -path /var/tmp -o -path /tmp \) -prune -o -type f -print0 | xargs -0 sha256sum | sed -E 's/^(.{16})\S* +(.*)/f \2 \1/'
"""
_STATES = {
    "nft": "nft list ruleset",
    "names": "cat /etc/resolv.conf; (resolvectl dns; resolvectl domain) 2>/dev/null || true",
    "rules": "ip rule; ip -6 rule",
    "routes": "ip route show table all; ip -6 route show table all | sed -E 's/ expires [0-9]+sec//'",
    "links": "ip -br link",
    "users": "getent passwd; getent group; getent shadow",
    "units": "systemctl list-unit-files --no-legend --no-pager; systemctl list-units --all --plain --no-legend 'slopn*'",
    "sysctls": "sysctl -a --pattern '^net\\.ipv[46]\\.conf\\.(all|default|eth0)\\.'",
}


def suites() -> list[str | None]:
    """The releases to test on: None is this machine's own. Plain bundles run by its Python alone."""
    return [None, NEWER] if _BUNDLES in os.environ else [None]


class Shop:
    """A signed repository on a computer's own disk, which may be spoilt, and that computer's apt.

    Nothing else is to be had: what the packages need beside each other must be there already.
    """

    def __init__(self, system: BootedSystem, key: Key) -> None:
        self._system = system
        self._key = key

    def open(self, wanted: Iterable[Path]) -> None:
        """Have a new one there with these packages, and trust its key."""
        shop = self._system.root / _SHOP.lstrip("/")
        shutil.rmtree(shop, ignore_errors=True)
        epoch = int(packages.epoch())
        made = repository.apt(list(wanted), self._key, shop / "apt", epoch=epoch, url=f"file:{_SHOP}")
        shutil.copy(made / Path(_KEYRING).name, self._system.root / _KEYRING.lstrip("/"))
        self._system.write(_SOURCES, repository.sources(f"file:{_SHOP}"))
        # apt's own user reads it.
        self._system.run(f"chmod -R a+rX {_SHOP} {_KEYRING}")

    def close(self) -> None:
        """Take it away, as somebody does who wants no SloPN any more."""
        self._system.run(f"rm -r {_SHOP} {_KEYRING} {_SOURCES}")

    def file(self, pattern: str) -> Path:
        """The one file in the repository whose name is so."""
        (found,) = (self._system.root / _SHOP.lstrip("/")).rglob(pattern)
        return found

    def apt(self, *words: str) -> tuple[int, str]:
        """How apt-get ends, and what it says: with these sources alone, and without asking."""
        only = ["-o", f"Dir::Etc::SourceList={_SOURCES}", "-o", "Dir::Etc::SourceParts=/nowhere"]
        command = ["apt-get", "--assume-yes", "--no-install-recommends", *only, *words]
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        done = self._system.run(command, check=False, timeout=300.0, env=quiet)
        return done.returncode, done.stdout + done.stderr

    def do(self, *words: str) -> None:
        """As `apt`, and it must be done."""
        status, said = self.apt(*words)
        assert status == 0, said

    def refuse(self, *words: str) -> str:
        """What apt says while it refuses this."""
        status, said = self.apt(*words)
        assert status != 0, said
        return said


def built(into: Path, *names: str) -> tuple[list[Path], list[Path]]:
    """.deb files of the packages `names`, in that order: of our version, and of the version `LATER`."""
    bundles = _bundles(into, names)
    now, later = (_packed(bundles, into / (version or "now"), version) for version in (None, LATER))
    return now, later


def built_now(into: Path, *names: str) -> list[Path]:
    """As `built`, of our version alone."""
    return _packed(_bundles(into, names), into / "now", None)


def _bundles(into: Path, names: tuple[str, ...]) -> dict[str, Path]:
    frozen = os.environ.get(_BUNDLES)
    return {name: Path(frozen, name) for name in names} if frozen else plain.plain(into / "bundles", names)


def _packed(bundles: dict[str, Path], into: Path, version: str | None) -> list[Path]:
    frozen = _BUNDLES in os.environ
    return packages.packages(bundles, into, formats=("deb",), version=version, frozen=frozen, compression="gzip")


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
