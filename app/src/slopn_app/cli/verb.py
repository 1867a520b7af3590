"""What a verb looks like from outside, as data: the parser and the shells' completion are both made from it."""

from __future__ import annotations

import argparse
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class Argument:
    """One argument: `names`, `help` and the `options` as `ArgumentParser.add_argument` takes them.

    `complete`, what a shell offers for its value: `profile`, `file`, `setting`, or words with spaces between them;
    empty: nothing, or no value at all.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        help: str,  # noqa: A002 - as in add_argument
        options: dict[str, Any] | None = None,
        complete: str = "",
    ) -> None:
        self.names = names
        self.help = help
        self.options = options or {}
        self.complete = complete


class Verb:
    """A verb's description; its name is its module's."""

    def __init__(self, summary: str, arguments: tuple[Argument, ...] = (), epilog: str = "") -> None:
        self.summary = summary
        self.arguments = arguments
        self.epilog = epilog


JSON = Argument(("--json",), "print JSON", {"action": "store_true"})


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


# All our words are English: argparse's are to be, too, and looking for their translation takes time in every run.
argparse._ = str  # type: ignore[attr-defined]


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Asks for the terminal's width itself: argparse imports shutil and all its compressors for that."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size().columns
        except OSError:
            columns = 80
        super().__init__(prog, width=max(columns - 2, 40))
