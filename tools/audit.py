"""`make audit`: known holes in what is pinned, and licences and sources of crates; the scheduled workflow runs it.

It asks the advisory databases of PyPI, RustSec and npm, so it needs the network. All of them are asked before it ends with
what was found.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tools import setup
from tools.console import CACHE, ROOT, VENV, Word, give_up, run, say, timed
from tools.stamps import digest, is_done, mark_done

CARGO_DENY = "0.20.2"
DENY = CACHE / "cargo/bin/cargo-deny"
PACKAGES = CACHE / "audit-packages"
_WISHES = ROOT / "requirements/audit.txt"


def main() -> None:
    """Install what is missing, ask all three, and end with status 1 if one of them found something or can't be asked."""
    install()
    failed = [name for name, (argv, folder) in questions().items() if not _asked(name, argv, folder)]
    if failed:
        give_up(f"Look at what {', '.join(failed)} said above: a hole, or a database that couldn't be reached.")


def questions() -> dict[str, tuple[list[Word], Path]]:
    """Name → command line and the folder to run it in."""
    return {
        **{f"pip-audit of requirements/{path.name}": (_pip_audit(path), ROOT) for path in _requirements()},
        "cargo-deny": ([DENY, "--all-features", "check"], ROOT / "helper/engine"),
        # What only builds or judges the page isn't in it, but runs here: all of it counts.
        "npm audit": ([VENV / "bin/npm", "audit", "--package-lock-only", "--audit-level=low"], ROOT / "app/ui"),
    }


def install() -> None:
    """pip-audit by its hashes, cargo-deny by its lock file, both beside the environment."""
    key = digest([_WISHES], setup.python_version())
    if not is_done("audit-packages", key):
        with timed("pip-audit, by its hashes"):
            run([*setup.uv_install(), "--require-hashes", "--target", PACKAGES, "-r", _WISHES])
        mark_done("audit-packages", key)
    if not DENY.is_file():
        with timed(f"cargo-deny {CARGO_DENY}"):
            run(
                [
                    "cargo",
                    "install",
                    "--quiet",
                    "--locked",
                    "--version",
                    CARGO_DENY,
                    "--root",
                    CACHE / "cargo",
                    "cargo-deny",
                ]
            )


def _requirements() -> list[Path]:
    return sorted((ROOT / "requirements").glob("*.txt"))


def _pip_audit(requirements: Path) -> list[Word]:
    # What is pinned by hash is all there is: nothing is installed or resolved to find that out.
    return [VENV / "bin/python", "-m", "pip_audit", "--require-hashes", "--disable-pip", "--requirement", requirements]


def _asked(name: str, argv: list[Word], folder: Path) -> bool:
    say(f"── {name}")
    environment = {**os.environ, "PYTHONPATH": str(PACKAGES)}
    return subprocess.run([str(word) for word in argv], cwd=folder, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    main()
