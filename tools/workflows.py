"""Judge .github/workflows: actionlint for what GitHub would refuse, zizmor for what somebody could abuse."""

from __future__ import annotations

from pathlib import Path

from tools.console import CACHE, ROOT, VENV, run
from tools.golang import install

PACKAGE, VERSION = "github.com/rhysd/actionlint/cmd/actionlint", "v1.7.12"
PROGRAM = CACHE / f"bin/actionlint-{VERSION}"
FOLDER = ROOT / ".github/workflows"


def check() -> None:
    """Run both; a finding ends this with exit status 1. Neither asks the network."""
    files = sorted(FOLDER.glob("*.yml"))
    run([actionlint(), "-pyflakes=", *files])
    run([VENV / "bin/zizmor", "--offline", "--no-progress", "--quiet", "--persona=pedantic", *files])


def actionlint() -> Path:
    """Where it is; it is made if need be, in a minute. It calls the shellcheck on PATH for the scripts inside."""
    install(PACKAGE, VERSION, PROGRAM)
    return PROGRAM
