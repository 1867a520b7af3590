"""`make audit`: known holes in what is pinned, and licences and sources of crates; the scheduled workflow runs it.

It asks the advisory databases of PyPI, RustSec and npm, so it needs the network. All of them are asked before it ends with
what was found.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tools import setup
from tools.console import CACHE, ROOT, VENV, Word, give_up, run, say, timed
from tools.stamps import digest, is_done, mark_done
from tools.ui import npm_argv

CARGO_DENY = "0.20.2"
DENY = CACHE / "cargo/bin/cargo-deny"
PACKAGES = CACHE / "audit-packages"
_UNREACHED = re.compile(
    r"(?i)could ?n[o']t (resolve|connect|fetch)|failed to (resolve|connect|fetch|establish)|connection (refused|reset|error)"
    r"|max retries exceeded|timed out|network is unreachable|\b(ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN)\b"
    r"|name resolution|service ?unavailable|audit endpoint returned an error|could not be audited"
)
"""How programs say that nobody answered."""
_WISHES = ROOT / "requirements/audit.txt"


def main() -> None:
    """Install what is missing, ask all three, and end with status 1 if one of them found something or can't be asked."""
    install()
    answers = {name: _asked(name, argv, folder) for name, (argv, folder) in questions().items()}
    if sentences := verdict(answers):
        give_up(sentences)


def verdict(answers: dict[str, str | None]) -> str:
    """What to tell. `answers`: by question, what a program that failed has printed; None: it found nothing."""
    unreached = [name for name, text in answers.items() if text is not None and _UNREACHED.search(text)]
    found = [name for name, text in answers.items() if text is not None and name not in unreached]
    sentences = []
    if found:
        sentences.append(f"Found something: {', '.join(found)}. Look above for what, and update or replace it.")
    if unreached:
        sentences.append(
            f"Not asked, since no database could be reached: {', '.join(unreached)}. Run it where there is a network."
        )
    return "\n".join(sentences)


def questions() -> dict[str, tuple[list[Word], Path]]:
    """Name → command line and the folder to run it in."""
    return {
        **{f"pip-audit of requirements/{path.name}": (_pip_audit(path), ROOT) for path in _requirements()},
        "cargo-deny": ([DENY, "--all-features", "check"], ROOT / "helper/engine"),
        # What only builds or judges the page isn't in it, but runs here: all of it counts.
        "npm audit": ([*npm_argv(), "audit", "--package-lock-only", "--audit-level=low"], ROOT / "app/ui"),
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
    # Strict: what the database doesn't know, or doesn't answer for, would else count as free of holes.
    # What is pinned by hash is all there is: nothing is installed or resolved to find that out.
    return [
        VENV / "bin/python",
        "-m",
        "pip_audit",
        "--strict",
        "--require-hashes",
        "--disable-pip",
        "--requirement",
        requirements,
    ]


def _asked(name: str, argv: list[Word], folder: Path) -> str | None:
    say(f"── {name}")
    environment = {**os.environ, "PYTHONPATH": str(PACKAGES)}
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    say(done.stdout.rstrip())
    return done.stdout if done.returncode else None


if __name__ == "__main__":
    main()
