"""Run Windows programs under Wine, in a prefix that belongs to this checkout."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools import apt
from tools.console import CACHE, Word, give_up, output, run, timed

HOME = CACHE / "windows"
PREFIX = HOME / "prefix"
PYTHON = HOME / "python"
PATIENCE = 1200  # seconds; Wine now and then hangs at its end

# Wine 8 has no bcryptprimitives.dll, which every program made by Rust since 1.77 asks for random numbers. For tests alone.
_RANDOM = """
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE at, SIZE_T left) {
    while (left) {
        ULONG n = left > 0x10000 ? 0x10000 : (ULONG)left;
        if (!SystemFunction036(at, n)) return FALSE;
        at += n;
        left -= n;
    }
    return TRUE;
}
"""


def environment(prefix: Path = PREFIX) -> dict[str, str]:
    """What every program under Wine is started with: one prefix, no messages, no dialogues, no other desktop's."""
    return {
        **os.environ,
        "WINEPREFIX": str(prefix),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree=;mshtml=;winedbg.exe=d",
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def call(argv: Sequence[Word], *, env: Mapping[str, str] | None = None, prefix: Path = PREFIX) -> int:
    """Run a Windows program with its output on the terminal; its exit status.

    By a pipe, since Windows' Python takes no file that it would inherit.
    """
    words = ["wine", *(str(word) for word in argv)]
    with subprocess.Popen(
        words,
        env={**environment(prefix), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            for line in process.stdout or ():
                print(line.decode(errors="replace").rstrip(), flush=True)
            return process.wait(PATIENCE)
        except BaseException:
            process.kill()
            raise


def ensure(prefix: Path = PREFIX) -> None:
    """Install what tools/apt-packages.txt names for Windows, and make the prefix where there is none."""
    apt.install(apt.missing(apt.packages("windows")))
    library = prefix / "drive_c/windows/system32/bcryptprimitives.dll"
    if (prefix / "system.reg").is_file() and library.is_file():
        return
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with timed(f"a prefix for {output(['wine', '--version'])}"):
        run(["wine", "wineboot", "--init"], env=environment(prefix), quiet=True)
        run(
            ["wine", "reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"],
            env=environment(prefix),
            quiet=True,
        )
        # Wine's debugger would wait for somebody who looks at what has crashed.
        run(
            ["wine", "reg", "delete", r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug", "/f"],
            env=environment(prefix),
            quiet=True,
        )
        source = HOME / "random.c"
        source.write_text(_RANDOM)
        run(["x86_64-w64-mingw32-gcc", "-shared", "-O2", "-o", library, source, "-ladvapi32"])
        # What is in the registry is on the disk only then.
        end(prefix)
    if not library.is_file():
        give_up("Wine made no prefix: look at what `wineboot --init` says.")


@contextmanager
def using() -> Iterator[None]:
    """While something runs in the prefix that all share: the last one who leaves ends what still runs in it."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "users").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            yield
        finally:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                end()


@contextmanager
def alone() -> Iterator[None]:
    """One at a time installs and builds what lies in .cache/windows."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def end(prefix: Path = PREFIX) -> None:
    """End what still runs in this prefix, and nothing else."""
    subprocess.run(["wineserver", "--kill"], env=environment(prefix), check=False)
    subprocess.run(["wineserver", "--wait"], env=environment(prefix), check=False)
