"""Which of the system's libraries a bundle stands on, as dependencies of its package.

dpkg-shlibdeps(1) says it in Debian's names, with the oldest versions that have all symbols; rpm's elfdeps in rpm's, which are the
libraries' own. What is in the bundle itself isn't named. Both look at libraries alone, not at what is opened by its name later.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tools import elf
from tools.bundles import INSIDE
from tools.console import give_up

ELFDEPS = "/usr/lib/rpm/elfdeps"
DESKTOP = f"{INSIDE}/gi/"
"""What is below it is loaded with a window or a tray alone: a server does without its libraries."""
_OF_ONE_RELEASE = "-with-libffi"
"""Debian 12's gobject-introspection has a name that says which libffi it was built with; no other release knows it."""


class Needs(NamedTuple):
    """Dependencies, each as a package's fields have it; sorted."""

    always: list[str]
    desktop: list[str]


@cache
def deb(folder: Path) -> Needs:
    """For a .deb. Raises `SystemExit` with a sentence for a library that is neither in the bundle nor in an installed package."""
    with tempfile.TemporaryDirectory(prefix="slopn-needs-") as made:
        # As it would lie there while a package is built: what is in the bundle then counts as the package's own.
        root = Path(made) / "debian/slopn"
        (root / "DEBIAN").mkdir(parents=True)
        (root.parent / "control").write_text("Source: slopn\n\nPackage: slopn\nArchitecture: any\n", encoding="utf-8")
        (root / "bundle").symlink_to(folder.absolute())
        argv = ["dpkg-shlibdeps", "-O", f"-S{root}", "--warnings=0"]
        for field, files in (("Depends", _programs(folder)), ("Recommends", _desktop(folder))):
            argv += [f"-d{field}", *(f"-e{root / 'bundle' / name}" for name in files)]
        said = _told(argv, "", made)
    found = dict(line.removeprefix("shlibs:").split("=", 1) for line in said.splitlines())
    lists = ([each for each in found.get(field, "").split(", ") if each] for field in ("Depends", "Recommends"))
    return Needs(*([each for each in names if _OF_ONE_RELEASE not in each] for names in lists))


@cache
def rpm(folder: Path) -> Needs:
    """For an .rpm."""
    inside = {path.name for path in folder.rglob("*")}
    always, desktop = (
        {
            need
            for need in _told([ELFDEPS, "-R"], "".join(f"{folder / name}\n" for name in files), folder).splitlines()
            if need.partition("(")[0] not in inside
        }
        for files in (_programs(folder), _desktop(folder))
    )
    return Needs(sorted(always), sorted(desktop - always))


def _programs(folder: Path) -> list[str]:
    return [name for name in _linked(folder) if not name.startswith(DESKTOP)]


def _desktop(folder: Path) -> list[str]:
    return [name for name in _linked(folder) if name.startswith(DESKTOP)]


def _linked(folder: Path) -> list[str]:
    """Every ELF file, by its path in the bundle."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if _is_elf(path))


def _is_elf(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(elf.MAGIC)) == elf.MAGIC


def _told(argv: Iterable[str], typed: str, folder: str | Path) -> str:
    words = list(argv)
    done = subprocess.run(words, input=typed, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        give_up(f"{words[0]} can't say what {folder} needs:\n{done.stderr.strip()}")
    return done.stdout
