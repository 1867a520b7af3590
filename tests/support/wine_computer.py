"""A Windows of its own under Wine, to install into and to look through: files, registry, services."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tools.windows import wine

PATIENCE = 300.0
_KEY = re.compile(r"^\[(?P<key>.+)\] \d+$")
_NOISE = re.compile(r"\\windows\\(temp|logs|prefetch)|\\temp\\|\\users\\[^\\]+\\(temp|recent)", re.IGNORECASE)


class Done(NamedTuple):
    """What a program said and how it ended."""

    status: int
    said: str


class Traces(NamedTuple):
    """What is on such a computer."""

    files: frozenset[str]
    """Of files and folders, as `\\Program Files\\SloPN`."""
    values: frozenset[str]
    """Of the registry, `KEY|name=value` each; services are below `System\\CurrentControlSet\\Services`."""


class Computer:
    """One prefix of Wine's, made anew."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.disk = prefix / "drive_c"
        shutil.rmtree(prefix, ignore_errors=True)
        wine.ensure(prefix)

    def run(self, program: str | Path, *words: str) -> Done:
        """Run a program until it ends."""
        done = subprocess.run(
            ["wine", str(program), *words],
            env=wine.environment(self.prefix),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(errors="replace"))

    def path(self, place: str) -> Path:
        """Where a path of drive C lies here: `Program Files/SloPN`."""
        return self.disk / place

    def shut_down(self) -> None:
        """End everything; what was only in the registry's memory is on the disk then."""
        wine.end(self.prefix)

    def traces(self) -> Traces:
        """All that is on the disk and in the registry; ends everything first."""
        self.shut_down()
        found = (path.relative_to(self.disk) for path in self.disk.rglob("*"))
        names = {"\\" + str(path).replace("/", "\\") for path in found}
        files = {name for name in names if not _NOISE.search(name)}
        values = {
            f"{hive}\\{each}"
            for hive, file in (("HKLM", "system.reg"), ("HKCU", "user.reg"), ("HKU", "userdef.reg"))
            for each in registry((self.prefix / file).read_text(encoding="utf-8", errors="replace"))
        }
        return Traces(frozenset(files), frozenset(values))


def registry(text: str) -> set[str]:
    """The keys and values of a file that Wine keeps the registry in, without the times of their changes.

    A value that goes over several lines is one; a key stands for itself, so that an empty one shows.
    """
    found: set[str] = set()
    key = ""
    for line in text.replace("\\\n  ", "").splitlines():
        if header := _KEY.match(line):
            key = header["key"].replace("\\\\", "\\")
            found.add(key)
        elif key and line.startswith(('"', "@")):
            found.add(f"{key}|{line}")
    return found
