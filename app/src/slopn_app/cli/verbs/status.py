"""`slopn status [--watch]`: what is protected and what isn't, right now."""

from __future__ import annotations

import argparse
import time

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Status
from slopn_app.cli.output import put_json, say
from slopn_app.cli.report import lines, status
from slopn_app.cli.verb import Argument, Verb

VERB = Verb(
    "say what is protected and what isn't",
    (
        Argument(
            ("-w", "--watch"),
            "go on until interrupted: on a terminal in place, else one line a change",
            {"action": "store_true"},
        ),
    ),
    "The status is 0 whenever the helper answers, whatever the state is.\n"
    "Protected: your traffic goes through the tunnel, guarded by the kill switch. Not protected: it goes out\n"
    "directly. Blocked: nothing leaves. With --watch --json each change is one line, the whole document again.",
    examples=(
        ("slopn status", ""),
        ("slopn status --watch", "with speed, countdown and what is being tried"),
        ("slopn status --json | jq -r .policy", "in a script: open, blocked or tunnelled"),
    ),
    see=("connect", "logs", "diagnose"),
)


def run(arguments: argparse.Namespace) -> int:
    """Print the state; status 0 whatever the state is."""
    if arguments.watch:
        from slopn_app.cli import live

        live.watch(as_json=arguments.json)
    with Channel() as channel:
        snapshot = channel.snapshot()
    if arguments.json:
        put_json(status(snapshot))
    else:
        say(*lines(snapshot, time.time()))
    return Status.DONE
