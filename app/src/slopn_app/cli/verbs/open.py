"""`slopn open`: the window, in this process's place."""

from __future__ import annotations

import argparse
import os
import sys

from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json
from slopn_app.cli.verb import Verb
from slopn_app.locale import t

PROGRAM = "slopn-window"
VERB = Verb(
    "open SloPN's window",
    (),
    "The window is looked for beside this command, and nowhere else.",
    examples=(("slopn open", ""),),
    see=("status",),
)


def run(arguments: argparse.Namespace) -> int:
    """Become the window. Status 1 if it isn't installed."""
    path = beside(sys.argv[0], sys.executable)
    if path is None:
        raise Failure(
            Status.FAILED,
            t("SloPN's window isn't installed: there is no {program} beside this command.", program=PROGRAM),
            t("All it does can be done here, too: `slopn --help`."),
        )
    if arguments.json:
        put_json({"program": path})
    try:
        os.execv(path, [path])  # noqa: S606 - no shell, and beside our own executable: no PATH decides
    except OSError as error:
        raise Failure(Status.FAILED, t("{path} can't be started: {error}.", path=path, error=error.strerror)) from None


def beside(command: str, interpreter: str) -> str | None:
    """The window's program in the folder of this command or, for a module, of its interpreter."""
    found = [command] if os.path.basename(command).startswith("slopn") else []  # noqa: PTH119 - pathlib is heavy
    for program in (*found, interpreter):
        folder = os.path.dirname(os.path.abspath(program))  # noqa: PTH100, PTH120 - as above
        for name in (PROGRAM, f"{PROGRAM}.exe"):
            path = os.path.join(folder, name)  # noqa: PTH118 - as above
            if os.access(path, os.X_OK):
                return path
    return None
