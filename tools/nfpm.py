"""nfpm, which packs .deb and .rpm: built from its pinned source."""

from __future__ import annotations

from pathlib import Path

from tools.console import CACHE
from tools.golang import install

PACKAGE, VERSION = "github.com/goreleaser/nfpm/v2/cmd/nfpm", "v2.43.4"
PROGRAM = CACHE / f"bin/nfpm-{VERSION}"


def program() -> Path:
    """Where it is; it is made if need be, which takes two minutes. Raises `SystemExit` with a sentence if that fails."""
    install(PACKAGE, VERSION, PROGRAM)
    return PROGRAM
