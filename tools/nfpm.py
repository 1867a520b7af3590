"""nfpm, which packs .deb and .rpm: built from its pinned source into .cache/bin, by the Go that wireguard-go is built by."""

from __future__ import annotations

from pathlib import Path

from tools.console import CACHE, output, run, timed
from tools.wireguard_go import go

MODULE = "github.com/goreleaser/nfpm/v2"
VERSION = "v2.43.4"
PROGRAM = CACHE / f"bin/nfpm-{VERSION}"


def program() -> Path:
    """Where it is; it is made if need be, which takes two minutes. Raises `SystemExit` with a sentence if that fails."""
    if not PROGRAM.is_file():
        compiler = go()
        with timed(f"nfpm {VERSION}, with {output([compiler, 'version'])}"):
            env = {"GOBIN": str(CACHE / "bin"), "GOFLAGS": "-trimpath", "CGO_ENABLED": "0"}
            run([compiler, "install", "-ldflags=-s -w", f"{MODULE}/cmd/nfpm@{VERSION}"], env=env, quiet=True)
            (CACHE / "bin/nfpm").replace(PROGRAM)
    return PROGRAM
