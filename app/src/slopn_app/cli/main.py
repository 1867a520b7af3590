"""The `slopn` command's entry: finds the verb, runs it, turns what goes wrong into an exit status."""

from __future__ import annotations

import os
import sys

from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json, warn
from slopn_app.cli.verb import parse
from slopn_app.locale import speak

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

GROUPS = {
    "The tunnel": ("status", "connect", "disconnect", "reconnect", "pause", "open"),
    "Profiles and settings": ("enrol", "import", "profiles", "export", "settings"),
    "Who may use it": ("users", "pair", "devices"),
    "When something is wrong": ("logs", "diagnose", "replay", "unlock"),
    "For scripts and shells": ("watch", "completion"),
}
"""All verbs, as the help shows them."""
VERBS = tuple(verb for verbs in GROUPS.values() for verb in verbs)
FIRST_STEPS = (
    ("slopn import berlin.conf", "store a wg-quick file from your provider"),
    ("slopn connect berlin --wait", "until traffic goes through the tunnel"),
    ("slopn status --watch", "see what is protected, live"),
)
INTERRUPTED = 130
BROKEN_PIPE = 141
# What a shell reports for a program ended by SIGINT or SIGPIPE.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `slopn`; the exit status. Without `arguments` it takes the process's own, and ends the process."""
    status = _main(list(sys.argv[1:] if arguments is None else arguments))
    if arguments is None:
        # All is written by now, and Python's taking itself down would take longer than many a verb.
        os._exit(status)
    return status


def _main(arguments: list[str]) -> int:
    _replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character shows a question mark; no verb fails for it.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain.
        _silence()
        return BROKEN_PIPE
    except OSError as error:
        # Verbs turn their own into failures: this is stdout's, a full disk for instance.
        _silence()
        warn(f"slopn: the output could not be written: {error.strerror or error}")
        return Status.FAILED
    return status


def _replace_closed_streams() -> None:
    """Python has None for a stream that is closed from the start (`>&-`): nothing to read, no room to write."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - pathlib is heavy; for as long as we live
    if sys.stdout is None:
        # Not for writing: what is lost must not look as if it had been printed.
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as above


def _silence() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def load(verb: str) -> Any:
    """The module of `verb`: its `VERB` and its `run`."""
    module = "import_" if verb == "import" else verb
    return __import__(f"slopn_app.cli.verbs.{module}", fromlist=["VERB"])


def _run(arguments: list[str]) -> int:
    as_json = False
    while arguments and arguments[0] == "--json":
        as_json = True
        arguments.pop(0)
    if not arguments:
        warn(*_help())
        return Status.USAGE
    name, *rest = arguments
    if name in {"-h", "--help", "help"}:
        print("\n".join(_help()))
        return Status.DONE
    if name == "--version":
        from importlib.metadata import version

        print(f"slopn {version('slopn-app')}")
        return Status.DONE
    if name not in VERBS:
        return _unknown(name)
    module = load(name)
    parsed = parse(name, module.VERB, rest)
    parsed.json = as_json or parsed.json
    # What programs read is the same everywhere.
    speak("en" if parsed.json else "auto", os.environ)
    try:
        return int(module.run(parsed))
    except Failure as failure:
        warn(f"slopn: {failure.lines[0]}", *(f"  {line}" for line in failure.lines[1:]))
        if parsed.json:
            put_json({"error": {"status": failure.status.value, "message": "\n".join(failure.lines)}})
        return failure.status


def _unknown(name: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(name, VERBS, n=1)
    meant = f" Did you mean `slopn {near[0]}`?" if near else ""
    warn(f"slopn: there is no verb {name!r}.{meant}", "  `slopn --help` lists them all.")
    return Status.USAGE


def _help() -> list[str]:
    width = max(map(len, VERBS))
    lines = ["usage: slopn VERB [ARGUMENTS] [--json]"]
    for title, verbs in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {verb:<{width}}  {load(verb).VERB.summary}" for verb in verbs)]
    widest = max(len(command) for command, _ in FIRST_STEPS)
    return [
        *lines,
        "",
        "To begin with:",
        *(f"  {command:<{widest}}  {what}" for command, what in FIRST_STEPS),
        "",
        "`slopn VERB --help` says more. Exit status: 0 done, 1 failed, 2 wrong usage or bad input,",
        "3 helper not reachable, 4 not permitted, 5 timed out. $SLOPN_SOCKET names another helper's socket.",
    ]
