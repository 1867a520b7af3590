"""The engine as it is shipped: its own build, which names no path of this machine and is linked hardened."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.console import CACHE, ROOT, run
from tools.rust import cargo_home, nameless

CRATE = ROOT / "helper/engine"
TARGET = CACHE / "freeze/engine"


def build(into: Path) -> Path:
    """Build `slopn_engine` below `into`, to be put on PyInstaller's path; `into`."""
    environment = {"RUSTFLAGS": flags(cargo_home(), ROOT), "CARGO_INCREMENTAL": "0"}
    library = ["cargo", "build", "--quiet", "--release", "--locked", "--lib", "--features", "python"]
    run([*library, "--target-dir", TARGET], cwd=CRATE, env=environment)
    package = into / "slopn_engine"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    shutil.copyfile(CRATE / "python/slopn_engine/__init__.py", package / "__init__.py")
    shutil.copyfile(TARGET / "release/libslopn_engine.so", package / "_engine.abi3.so")
    return into


def flags(home: Path, root: Path) -> str:
    """RUSTFLAGS: where a panic says it happened, and what the linker makes of the library's tables and stack."""
    return " ".join(
        (
            *nameless(home, root),
            "-Crelro-level=full",
            "-Clink-arg=-Wl,-z,noexecstack",
        )
    )
