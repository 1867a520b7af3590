"""`slopn export NAME [--output FILE]`: the only way a private key leaves the helper."""

from __future__ import annotations

import argparse
import os
import sys

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json
from slopn_app.cli.verb import Argument, Verb

VERB = Verb(
    "print a profile as a wg-quick file, with its private key",
    (
        Argument(("name",), "the profile", {"metavar": "NAME"}, "profile"),
        Argument(
            ("-o", "--output"),
            "write to a new FILE that only you can read, instead of stdout",
            {"metavar": "FILE"},
            "file",
        ),
    ),
    "Whoever has the file can use the tunnel in your place.",
    examples=(("slopn export office --output office.conf", ""),),
    see=("import", "profiles"),
)


def run(arguments: argparse.Namespace) -> int:
    """Export one profile."""
    with Channel() as channel:
        text = channel.export(arguments.name)["text"]
    if arguments.output is not None:
        _write(arguments.output, text)
        if arguments.json:
            put_json({"name": arguments.name, "file": arguments.output})
    elif arguments.json:
        put_json({"name": arguments.name, "text": text})
    else:
        sys.stdout.write(text)
    return Status.DONE


def _write(path: str, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Failure(Status.FAILED, f"{path}: {error.strerror}") from None
