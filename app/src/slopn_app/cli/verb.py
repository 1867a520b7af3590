"""What a verb looks like from outside, as data: parser, help, the shells' completion and the man pages come from it."""

from __future__ import annotations

import argparse
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    Example = tuple[str, str]
    """A command line, and what it does; the latter may be empty."""


class Argument:
    """One argument: `names`, `help` and the `options` as `ArgumentParser.add_argument` takes them.

    `complete`, what a shell offers for its value: `profile`, `device`, `user`, `account`, `file`, `setting`, or words
    with spaces between them; empty: nothing, or no value at all. As a mapping: what it offers once that word stands
    before it on the line.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        help: str,  # noqa: A002 - as in add_argument
        options: dict[str, Any] | None = None,
        complete: str | Mapping[str, str] = "",
    ) -> None:
        self.names = names
        self.help = help
        self.options = options or {}
        self.complete = complete

    @property
    def positional(self) -> bool:
        """Whether its place names it, and no dash."""
        return not self.names[0].startswith("-")

    @property
    def metavar(self) -> str:
        """What its value is called; empty for a flag."""
        if self.options.get("action") == "store_true":
            return ""
        return str(self.options.get("metavar") or self.names[-1].lstrip("-").upper())

    @property
    def said(self) -> str:
        """Its help with the values that argparse would fill in."""
        choices = ", ".join(map(str, self.options.get("choices", ())))
        return self.help.replace("%(choices)s", choices).replace("%(default)s", str(self.options.get("default")))


class Verb:
    """A verb's description; its name is its module's.

    `about`: what must be known beyond `summary`, lines as they shall stand. `see`: verbs that come next.
    """

    def __init__(
        self,
        summary: str,
        arguments: tuple[Argument, ...] = (),
        about: str = "",
        *,
        examples: tuple[Example, ...] = (),
        see: tuple[str, ...] = (),
    ) -> None:
        self.summary = summary
        self.arguments = arguments
        self.about = about
        self.examples = examples
        self.see = see

    @property
    def every(self) -> tuple[Argument, ...]:
        """Its arguments, with those that every verb has."""
        return (*self.arguments, JSON)


JSON = Argument(("--json",), "print JSON", {"action": "store_true"})


def parse(name: str, verb: Verb, arguments: Sequence[str]) -> argparse.Namespace:
    """The verb's arguments. Exits with status 2 and a sentence for wrong usage, 0 after `--help`."""
    return parser(name, verb).parse_intermixed_args(arguments)


def parser(name: str, verb: Verb) -> argparse.ArgumentParser:
    """The verb's parser."""
    made = argparse.ArgumentParser(
        prog=f"slopn {name}",
        description=_escaped(f"{verb.summary[:1].upper()}{verb.summary[1:]}."),
        epilog=_escaped("\n".join(_epilog(verb))) or None,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    for argument in verb.every:
        made.add_argument(*argument.names, help=_escaped(argument.said), **argument.options)
    return made


def examples(verb: Verb) -> list[str]:
    """The examples as aligned lines."""
    widest = max((len(command) for command, _ in verb.examples), default=0)
    return [f"  {command:<{widest}}  {what}".rstrip() for command, what in verb.examples]


def _epilog(verb: Verb) -> list[str]:
    lines = verb.about.splitlines()
    if verb.examples:
        lines += ["", "Examples:", *examples(verb)] if lines else ["Examples:", *examples(verb)]
    if verb.see:
        lines += ["", f"See also: {', '.join(f'slopn {other}' for other in verb.see)}."]
    return lines


def _escaped(text: str) -> str:
    """Argparse fills in %(prog)s here as well."""
    return text.replace("%", "%%")


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
