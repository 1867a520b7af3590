"""Run Windows programs under Wine, in a prefix that belongs to this checkout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

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


def environment() -> dict[str, str]:
    """What every program under Wine is started with: this prefix, no messages, no dialogues, no other desktop's."""
    return {
        **os.environ,
        "WINEPREFIX": str(PREFIX),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree=;mshtml=;winedbg.exe=d",
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def call(argv: Sequence[Word], *, env: Mapping[str, str] | None = None) -> int:
    """Run a Windows program with its output on the terminal; its exit status.

    By a pipe, since Windows' Python takes no file that it would inherit.
    """
    words = ["wine", *(str(word) for word in argv)]
    with subprocess.Popen(
        words,
        env={**environment(), **(env or {})},
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


def ensure() -> None:
    """Install what tools/apt-packages.txt names for Windows, and make the prefix where there is none."""
    apt.install(apt.missing(apt.packages("windows")))
    if (PREFIX / "system.reg").is_file() and (PREFIX / "drive_c/windows/system32/bcryptprimitives.dll").is_file():
        return
    PREFIX.parent.mkdir(parents=True, exist_ok=True)
    with timed(f"a prefix for {output(['wine', '--version'])}"):
        run(["wine", "wineboot", "--init"], env=environment(), quiet=True)
        run(
            ["wine", "reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"],
            env=environment(),
            quiet=True,
        )
        source = HOME / "random.c"
        source.write_text(_RANDOM)
        library = PREFIX / "drive_c/windows/system32/bcryptprimitives.dll"
        run(["x86_64-w64-mingw32-gcc", "-shared", "-O2", "-o", library, source, "-ladvapi32"])
    if not library.is_file():
        give_up("Wine made no prefix: look at what `wineboot --init` says.")


def end() -> None:
    """End what still runs in this prefix, and nothing else."""
    subprocess.run(["wineserver", "--kill"], env=environment(), check=False)
