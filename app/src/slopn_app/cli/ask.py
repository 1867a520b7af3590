"""Questions to a person at the terminal; nobody else is ever waited for."""

from __future__ import annotations

import sys

from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import clean
from slopn_app.locale import t


def asks() -> bool:
    """Whether there is a person to ask: they see stderr and type into stdin."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(question: str, instead: str) -> bool:
    """Whether the person says yes. Raises `Failure` where nobody can be asked; `instead`: what to call there."""
    if not asks():
        raise Failure(
            Status.USAGE, t("There is nobody to ask here, so nothing was done."), t("Use `{command}`.", command=instead)
        )
    return answer(f"{question} {t('[y/N]')} ").lower() in {"y", "yes", *t("y|yes").split("|")}


def answer(question: str) -> str:
    """What the person types, without blanks around it; empty at the end of input."""
    # On stderr: stdout may be a file, and holds results alone.
    sys.stdout.flush()
    sys.stderr.write(clean(question))
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
    return line.strip()
