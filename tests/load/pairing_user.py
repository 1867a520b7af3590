"""Pairs a command line as its user would: prints a JSON line when the helper wants a number, and reads it from stdin.

Argument: socket.
"""

from __future__ import annotations

import json
import sys

from slopn_app.applicant import NumberWanted
from slopn_app.bootstrap import host
from slopn_app.pairing import Pairing


def main(path: str) -> None:
    """See the module."""
    Pairing("cli", host(), path, ask=_ask, say=lambda _: None).link(60.0).close()
    _say({"paired": True})


def _ask(wanted: NumberWanted) -> str:
    _say({"wrong": wanted.wrong})
    return sys.stdin.readline().strip()


def _say(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
