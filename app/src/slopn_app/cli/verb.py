"""What a verb looks like from outside, as data: the parser and the shells' completion are both made from it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Argument(NamedTuple):
    """One argument. `names` as argparse takes them; `complete` says what a shell offers for its value."""

    names: tuple[str, ...]
    help: str
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    """The rest of what `ArgumentParser.add_argument` takes."""
    complete: str = ""
    """`profile`, `file`, `setting`, or words with spaces between them; empty: nothing, or no value at all."""


class Verb(NamedTuple):
    """A verb's description; its name is its module's."""

    summary: str
    arguments: tuple[Argument, ...] = ()
    epilog: str = ""


JSON = Argument(("--json",), "print JSON", {"action": "store_true"})

Run = Callable[[argparse.Namespace], int]


def parse(name: str, verb: Verb, arguments: Sequence[str]) -> argparse.Namespace:
    """The verb's arguments. Exits with status 2 and a sentence for wrong usage, 0 after `--help`."""
    parser = argparse.ArgumentParser(
        prog=f"slopn {name}",
        description=verb.summary,
        epilog=verb.epilog or None,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    for argument in (*verb.arguments, JSON):
        parser.add_argument(*argument.names, help=argument.help, **argument.options)
    return parser.parse_intermixed_args(arguments)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Asks for the terminal's width itself: argparse imports shutil and all its compressors for that."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size().columns
        except OSError:
            columns = 80
        super().__init__(prog, width=max(columns - 2, 40))
