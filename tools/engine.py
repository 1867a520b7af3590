"""Build the Rust engine: the Python module slopn_engine into .venv, the program slopn-engine beside it."""

from __future__ import annotations

import shutil

from tools.console import ROOT, VENV, Word, run, timed
from tools.stamps import digest, is_done, mark_done

CRATE = ROOT / "helper/engine"
INPUTS = ("Cargo.toml", "Cargo.lock", "pyproject.toml", "src", "vendor", "python")
PROGRAM = VENV / "bin/slopn-engine"


def build(rust_version: str) -> None:
    """Build what changed since the last time; `rust_version` is part of the key, so a new compiler builds anew."""
    key = digest([CRATE / name for name in INPUTS], rust_version)
    if is_done("engine", key) and PROGRAM.is_file():
        return
    with timed("engine (Rust, release): the Python module and the program slopn-engine"):
        maturin: list[Word] = [VENV / "bin/maturin", "develop", "--quiet", "--release", "--locked", "--uv"]
        run(maturin, cwd=CRATE, env={"VIRTUAL_ENV": str(VENV)}, quiet=True)
        run(["cargo", "build", "--quiet", "--release", "--locked", "--bin", "slopn-engine"], cwd=CRATE)
        # A program that runs can't be written to, but it can be replaced.
        fresh = PROGRAM.with_suffix(".new")
        shutil.copy2(CRATE / "target/release/slopn-engine", fresh)
        fresh.replace(PROGRAM)
    mark_done("engine", key)
