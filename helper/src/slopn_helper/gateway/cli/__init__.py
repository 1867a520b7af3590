"""The administrator's commands. Each verb is a module here with `HELP`, `configure(parser)` and `run(arguments)`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from slopn_helper import __version__
from slopn_helper.gateway.paths import Paths

DONE, FAILED, USAGE, NOT_PERMITTED = 0, 1, 2, 4
"""Exit statuses, the same as those of `slopn` and `slopn-helper`."""
VERBS = ("init", "serve", "doctor", "status", "token", "device", "bans", "backup", "restore")
"""In the order in which an administrator meets them."""


class UsageError(Exception):
    """What was asked for can't be; a sentence. Nothing was done."""


class CliError(Exception):
    """It couldn't be done; a sentence that says why and what to do."""


class Verb(Protocol):
    """A verb's module."""

    HELP: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add its own arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; returns the exit status."""


def verb(name: str) -> Verb:
    """The module of one verb."""
    return cast("Verb", importlib.import_module(f"{__name__}.{name}"))


def main(argv: Sequence[str]) -> int:
    """Carry out one verb; returns the exit status. Errors that a user can make, or mend, are sentences on stderr."""
    parser = _parser(argv)
    arguments = parser.parse_args(argv)
    os.umask(0o077)
    if os.geteuid() != 0:
        return _failed("must run as root", NOT_PERMITTED)
    try:
        return verb(arguments.verb).run(arguments)
    except UsageError as error:
        return _failed(str(error), USAGE)
    except KeyboardInterrupt:
        return _failed("interrupted", FAILED)
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter's end would complain of it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if not _is_expected(error):
            raise
        return _failed(str(error), FAILED)


def add_paths(parser: argparse.ArgumentParser) -> None:
    """The options that every verb has."""
    usual = Paths()
    parser.add_argument("--config", type=Path, default=usual.config, metavar="FILE", help=f"default: {usual.config}")
    parser.add_argument("--state-dir", type=Path, default=usual.state, metavar="DIR", help=f"default: {usual.state}")
    parser.add_argument(
        "--runtime-dir", type=Path, default=usual.runtime, metavar="DIR", help=f"default: {usual.runtime}"
    )


def paths(arguments: argparse.Namespace) -> Paths:
    """What `add_paths` has read."""
    return Paths(arguments.state_dir, arguments.runtime_dir, arguments.config)


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slopn-gateway", description="A SloPN gateway: your own server.")
    parser.add_argument("--version", action="version", version=f"slopn-gateway {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    # Only the one that is called is imported; all of them for the list in --help.
    called = next((word for word in argv if word in VERBS), None)
    lists = called is None and bool({"-h", "--help"} & set(argv))
    for name in VERBS:
        if lists or called == name:
            module = verb(name)
            each = verbs.add_parser(name, help=module.HELP, description=module.HELP)
            module.configure(each)
            add_paths(each)
        else:
            verbs.add_parser(name)
    return parser


def _failed(sentence: str, status: int) -> int:
    shown = "".join(letter if letter.isprintable() else "�" for letter in sentence)
    sys.stderr.write(f"slopn-gateway: {shown}\n")
    return status


def _is_expected(error: Exception) -> bool:
    """Whether an error's text is a sentence for people: those of our own parts, and the system's."""
    return isinstance(error, OSError) or type(error).__module__.startswith("slopn_")
