"""`slopn diagnose [-o FILE] [--show NAME] [--yes]`: what is wrong, and a bundle for who is to help."""

from __future__ import annotations

import argparse
import sys
import time

from slopn_app.cli.ask import answer, asks
from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json, say, size, table, warn
from slopn_app.cli.verb import Argument, Verb
from slopn_app.words import VERDICTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from slopn_app.cli.documents import CheckDoc, DiagnosisDoc
    from slopn_app.cli.output import Line

COLOURS = {"fine": "good", "notice": "attention", "broken": "bad", "unknown": "faint"}
"""By verdict."""
CHECKS = "checks.txt"
VERSIONS = "front-end.txt"
# What is put into the bundle beside the helper's files.
_WITHOUT_HELPER = "Why it isn't running: `journalctl -u slopn-helper -n 100`."
VERB = Verb(
    "check everything, and save a bundle for who is to help",
    (
        Argument(("-o", "--output"), "save the bundle as FILE, a new one", {"metavar": "FILE"}, "file"),
        Argument(("--show",), "print one file of the bundle, and save nothing", {"metavar": "NAME"}),
        Argument(("--yes",), "save without asking", {"action": "store_true"}),
    ),
    "The bundle is a .zip that only you can read; it is sent nowhere. Keys are taken out before the helper hands it\n"
    "over; addresses are in it, unless log_addresses is off. Look at any part of it with --show before you save it.\n"
    "Without a terminal nothing is saved unless -o or --yes is given.",
    examples=(
        ("slopn diagnose", "checks, what the bundle would hold, then a question"),
        ("slopn diagnose --show rules.txt", ""),
        ("slopn diagnose -o problem.zip --yes", ""),
    ),
    see=("replay", "logs", "status"),
)


def run(arguments: argparse.Namespace) -> int:
    """Check, show, save. Status 0 whatever the verdicts are."""
    diagnosis = _ask()
    files = {**diagnosis["files"], CHECKS: _text(diagnosis["checks"]), VERSIONS: _versions()}
    if arguments.show is not None:
        return _show(arguments.show, files, as_json=arguments.json)
    if not arguments.json:
        say(*verdicts(diagnosis["checks"]))
    path = arguments.output or time.strftime("slopn-diagnosis-%Y%m%d-%H%M%S.zip")
    wanted = arguments.yes or (_agreed(path, files) if asks() and not arguments.json else arguments.output is not None)
    if wanted:
        from slopn_app.cli.bundle import save

        save(path, files, time.time())
    if arguments.json:
        held = [{"name": name, "bytes": len(text.encode(errors="replace"))} for name, text in sorted(files.items())]
        put_json({"checks": diagnosis["checks"], "files": held, "saved": path if wanted else None})
    elif wanted:
        say("", f"Saved {path}; only you can read it. `slopn replay {path}` runs what the tunnel did again.")
    else:
        if not asks():
            say("", *_contents(files))
        say("", "Nothing was saved. `slopn diagnose --yes` saves the bundle here.")
    return Status.DONE


def verdicts(checks: list[CheckDoc]) -> list[Line]:
    """A table of verdict and sentence; below each what to do about it."""
    rows = [(VERDICTS.get(check["verdict"], check["verdict"]), check["text"]) for check in checks]
    found: list[Line] = []
    for check, (word, _), row in zip(checks, rows, table(rows), strict=True):
        found.append(((row[: len(word)], COLOURS.get(check["verdict"], "")), (row[len(word) :], "")))
        if check["remedy"]:
            found.append(" " * (len(row) - len(row[len(word) :].lstrip())) + check["remedy"])
    broken = sum(check["verdict"] == "broken" for check in checks)
    found += ["", "Nothing is broken." if not broken else f"{broken} of {len(checks)} checks found something broken."]
    return found


def _ask() -> DiagnosisDoc:
    try:
        with Channel() as channel:
            reply: Any = channel.ask({"type": "diagnose"})
    except Failure as failure:
        if failure.status is not Status.UNREACHABLE:
            raise
        raise Failure(failure.status, *failure.lines, _WITHOUT_HELPER) from None
    diagnosis: DiagnosisDoc = reply
    return diagnosis


def _show(name: str, files: dict[str, str], *, as_json: bool) -> int:
    if name not in files:
        raise Failure(Status.USAGE, f"The bundle has no file {name!r}.", f"It would hold {', '.join(sorted(files))}.")
    if as_json:
        put_json({"name": name, "text": files[name]})
    else:
        say(*files[name].splitlines())
    return Status.DONE


def _agreed(path: str, files: dict[str, str]) -> bool:
    say("", *_contents(files))
    warn("", f"It would be saved as {path}, for you alone to read, and sent nowhere.")
    while (said := answer("Save it? [y/N, or the name of a file to look at] ")) in files:
        say(*files[said].splitlines())
    return said.lower() in {"y", "yes"}


def _contents(files: dict[str, str]) -> list[str]:
    rows = [(name, size(len(text.encode(errors="replace")))) for name, text in sorted(files.items())]
    return ["The bundle would hold, with keys taken out:", *(f"  {row}" for row in table(rows))]


def _text(checks: list[CheckDoc]) -> str:
    from slopn_app.cli.output import dressed

    return "".join(f"{dressed(line, coloured=False)}\n" for line in verdicts(checks))


def _versions() -> str:
    from importlib.metadata import version

    return f"slopn {version('slopn-app')}\nPython {sys.version}\n"
