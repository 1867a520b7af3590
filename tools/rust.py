"""Find a Rust that is new enough, or have Debian's installed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tools import apt
from tools.console import give_up, output

NEEDED = (1, 95)
PARTS = (
    ["rustc", "--version"],
    ["cargo", "--version"],
    ["cargo", "clippy", "--version"],
    ["cargo", "fmt", "--version"],
)


def ensure() -> str:
    """The version line of rustc once compiler, cargo, clippy and rustfmt are there; else a sentence and exit status 1."""
    if _lacking() is None:
        return _version_line()
    if _is_enough(_version_line()):
        give_up(f"Rust is there, but `{_lacking()}` fails. With rustup: rustup component add clippy rustfmt")
    if not _is_enough(apt.candidate("rustc-web") or ""):
        apt.update()
    if _is_enough(apt.candidate("rustc-web") or ""):
        apt.install(apt.missing(apt.packages("rust")))
    if _lacking() is not None:
        need = ".".join(map(str, NEEDED))
        give_up(
            f"Rust {need} or newer with cargo, clippy and rustfmt is needed, and this system's packages have none: "
            f"install it with rustup (rustup toolchain install stable --component clippy,rustfmt), then run again."
        )
    return _version_line()


def cargo_home() -> Path:
    """Where cargo keeps what it has fetched."""
    return Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")


def nameless(home: Path, root: Path) -> list[str]:
    """Flags for what is shipped: what a panic says of its place isn't where this machine has cargo's things and the checkout."""
    return [f"--remap-path-prefix={home}=/cargo", f"--remap-path-prefix={root}=/slopn"]


def _lacking() -> str | None:
    if not _is_enough(_version_line()):
        return "rustc"
    return next((" ".join(part) for part in PARTS if output(part) is None), None)


def _version_line() -> str:
    return output(["rustc", "--version"]) or ""


def _is_enough(text: str) -> bool:
    found = re.search(r"(\d+)\.(\d+)", text)
    return found is not None and (int(found[1]), int(found[2])) >= NEEDED
