"""`slopn-window [FILE|LINK …]`: the window, or what it is asked to show in the one that runs already."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from slopn_app.window import bootstrap, opened


def main() -> None:
    """The program."""
    raise SystemExit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """0: closed, or handed to the window that runs. 1: there can't be a window, and stderr says why."""
    logging.basicConfig(level=logging.WARNING, format="slopn-window: %(message)s")
    words = tuple(_absolute(word) for word in _parse(arguments).open)
    try:
        return bootstrap.window(words)
    except bootstrap.Impossible as error:
        sys.stderr.write(f"slopn-window: {error}\n")
        return 1


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("slopn-window", description="SloPN's window.")
    parser.add_argument(
        "open", nargs="*", metavar="FILE|LINK", help="a .conf file, a picture, a ZIP or a slopn:// link"
    )
    return parser.parse_args(arguments)


def _absolute(word: str) -> str:
    """The window that runs has another working directory."""
    if word.startswith(f"{opened.SCHEME}:"):
        return word
    name = unquote(word.removeprefix("file://")) if word.startswith("file:///") else word
    return str(Path(os.path.normpath(Path.cwd() / name)))
