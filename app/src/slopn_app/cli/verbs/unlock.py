"""`slopn unlock [--yes]`."""

from __future__ import annotations

import argparse

from slopn_app.cli import wait
from slopn_app.cli.ask import agreed
from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import warn
from slopn_app.cli.verb import Argument, Verb
from slopn_app.cli.verbs.disconnect import arrived
from slopn_app.locale import t

_WHAT = (
    "This ends the tunnel and the kill switch's hold: your traffic goes out directly, seen by the network you are on.",
    "With the kill switch on `always` it becomes `on`; the next `slopn connect` guards your traffic again.",
)
_PATIENCE = 30.0
"""Seconds."""
VERB = Verb(
    "let your traffic out directly, whatever held it back",
    (Argument(("--yes",), "don't ask", {"action": "store_true"}),),
    "\n".join((*_WHAT, "It asks before it does so. When the service is dead: `sudo slopn-helper unlock`.")),
    examples=(("slopn unlock", "says what it does, and asks"), ("slopn unlock --yes", "in a script")),
    see=("status", "settings", "diagnose"),
)


def run(arguments: argparse.Namespace) -> int:
    """Say what it means, ask, unlock. Status 1 if the user would rather not."""
    try:
        with Channel() as channel:
            if not arguments.yes:
                _ask()
            snapshot, notes = wait.unlocked(channel, _PATIENCE)
    except Failure as failure:
        if failure.status is not Status.UNREACHABLE:
            raise
        raise Failure(
            failure.status, *failure.lines, t("Without it, `sudo slopn-helper unlock` lets your traffic out.")
        ) from None
    return arrived(snapshot, notes, as_json=arguments.json)


def _ask() -> None:
    warn(*map(t, _WHAT))
    if not agreed(t("Let your traffic out directly?"), "slopn unlock --yes"):
        raise Failure(Status.FAILED, t("Nothing was changed."))
