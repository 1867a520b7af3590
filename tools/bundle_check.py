"""What must not be in a frozen bundle: secrets, paths of the build machine, tests, other roles' libraries, soft memory.

And what must: programs that start.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tools import elf
from tools.bundles import INSIDE, LOOSE, Bundle, below
from tools.console import ROOT, give_up

_SECRETS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{24}"
    rb"|(?:PrivateKey|PresharedKey)\s*=\s*[A-Za-z0-9+/]{43}="
    rb"|gh[pousr]_[A-Za-z0-9]{36}|AKIA[0-9A-Z]{16}"
)
_TESTS = re.compile(r"(^|[./])(tests?|conftest|_pytest|test_\w+|\w+_test)([./]|$)")
_SOURCES = {".pyi", ".c", ".h", ".pyx", ".map", ".po"}
_OTHERS_MAY_WRITE = 0o022
_LONGEST = 60.0
"""Seconds in which a program must have told how it is used, however busy the machine is."""


class Part(NamedTuple):
    """A file of the bundle, or something inside one."""

    name: str
    """`lib/libfoo.so`, or `slopn!slopn_app.client` for what is inside."""
    data: bytes


def findings(bundle: Bundle, folder: Path) -> list[str]:
    """What is wrong with the bundle in `folder`, a line each; nothing: it may be shipped."""
    held = list(parts(bundle, folder))
    names = modules(held)
    found = [f"{name} is missing" for name in bundle.programs if not (folder / name).is_file()]
    found += [f"the module {name} is in it" for name in sorted(names) if below(name, bundle.forbidden)]
    found += [f"the test {name} is in it" for name in sorted(names) if _TESTS.search(name)]
    for part in held:
        found += [f"{part.name} {what}" for what in wrong(part, build_paths())]
    for path in sorted(folder.rglob("*")):
        found += _misplaced(path, folder)
    megabytes = size(folder) / 2**20
    if megabytes > bundle.most:
        found.append(f"{megabytes:.1f} MiB are more than {bundle.most}")
    return found


def refuse(name: object, found: Iterable[str]) -> None:
    """End with what was found of something that was to be shipped, if that is anything. Raises `SystemExit`."""
    if lines := [f"  {finding}" for finding in found]:
        give_up("\n".join((f"{name} can't be shipped:", *lines)))


def silent(bundle: Bundle, folder: Path) -> list[str]:
    """The programs that don't tell how they are used, where nothing but the bundle and the system is to be had; a line each.

    A module that nobody has packed, or a library that isn't there, is found by starting alone.
    """
    found = []
    with tempfile.TemporaryDirectory(prefix="slopn-check-") as nowhere:
        environment = {"PATH": "/usr/bin:/bin", "HOME": nowhere, "LC_ALL": "C.UTF-8"}
        for name in bundle.programs:
            argv = [str(folder.resolve() / name), "--help"]
            try:
                done = subprocess.run(
                    argv, cwd=nowhere, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                    timeout=_LONGEST, check=False,
                )  # fmt: skip
            except (OSError, subprocess.TimeoutExpired) as error:
                found.append(f"{name} --help doesn't end well: {error}")
                continue
            if done.returncode or done.stderr or not done.stdout:
                said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
                found.append(f"{name} --help ends with {done.returncode} and says: {said[-1]}")
        found += [f"{path.name} is what a program left at home" for path in sorted(Path(nowhere).iterdir())]
    return found


def wrong(part: Part, paths: Iterable[bytes]) -> list[str]:
    """What is wrong with one part. `paths`: beginnings of names of this machine."""
    found = [f"names {path.decode()} of the build machine" for path in paths if path in part.data]
    if _SECRETS.search(part.data):
        found.append("holds what looks like a secret key")
    if part.data.startswith(elf.MAGIC):
        found += elf.soft(part.data, full="slopn_engine" in part.name)
    return found


def build_paths() -> list[bytes]:
    """Beginnings of paths that only this machine has."""
    home = Path.home()
    return [f"{path}/".encode() for path in (ROOT, home / ".cargo", home / ".cache", home / ".local")]


def modules(held: Iterable[Part]) -> set[str]:
    """The names of all Python modules in a bundle, compiled to C or not."""
    found = set()
    for part in held:
        outer, _, inner = part.name.partition("!")
        if inner:
            found.add(inner.replace("/", ".").removesuffix(".pyc").removesuffix(".__init__"))
        elif outer.endswith((".so", ".py", ".pyc")):
            path = PurePosixPath(outer).relative_to(INSIDE)
            path = path.relative_to("python3.11/lib-dynload") if "lib-dynload" in path.parts else path
            found.add(".".join((*path.parts[:-1], path.name.split(".")[0])).removesuffix(".__init__"))
    return found


def parts(bundle: Bundle, folder: Path) -> Iterator[Part]:
    """Every file, and all that is packed into programs and ZIP files."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        yield Part(name, path.read_bytes())
        if name in bundle.programs:
            yield from _packed(path, name)
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield from (Part(f"{name}!{each}", archive.read(each)) for each in archive.namelist())


def size(folder: Path) -> int:
    """Bytes of all files."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _packed(program: Path, name: str) -> Iterator[Part]:
    from PyInstaller.archive.readers import CArchiveReader

    archive = CArchiveReader(str(program))
    for entry in sorted(archive.toc):
        if entry.endswith(".pyz"):
            inner = archive.open_embedded_archive(entry)
            for module in sorted(inner.toc):
                yield Part(f"{name}!{module}", inner.extract(module, raw=True) or b"")
        else:
            yield Part(f"{name}!{entry}", archive.extract(entry))


def _misplaced(path: Path, folder: Path) -> Iterator[str]:
    name = path.relative_to(folder).as_posix()
    if path.is_symlink():
        if not path.resolve().is_relative_to(folder.resolve()):
            yield f"{name} leads out of the bundle"
    elif path.lstat().st_mode & _OTHERS_MAY_WRITE:
        yield f"{name} can be written by others than its owner"
    if path.suffix == ".typelib":
        yield f"{name} is the distribution's, and so are the libraries that it names"
    if path.suffix in _SOURCES:
        yield f"{name} is of no use to who runs it"
    if path.suffix == ".pyc" and name.split("/")[1] not in LOOSE:
        yield f"{name} is compiled Python outside the archive"
