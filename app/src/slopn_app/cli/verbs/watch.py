"""`slopn watch [--after N --epoch E]`: a snapshot, then each change, as JSON lines."""

from __future__ import annotations

import argparse

from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.follow import Follower
from slopn_app.cli.output import put_json_lines
from slopn_app.cli.verb import Argument, Verb

VERB = Verb(
    "print a snapshot, then each change, as JSON lines",
    (
        Argument(("--after",), "go on after event N of an earlier watch", {"type": int, "metavar": "N"}),
        Argument(("--epoch",), "the epoch of the snapshot that N belongs to", {"default": "", "metavar": "E"}),
    ),
    "Events are numbered by `seq`, and none is missing between a snapshot and what follows it. It survives a restart\n"
    "of the helper: a line of type `unreachable` says that it is gone, a snapshot that it is back and counts anew;\n"
    "`resumed` instead of a snapshot: what follows continues what was there before.",
    examples=(
        ("slopn watch", ""),
        ("slopn watch --after 41 --epoch 9f1c", "what happened since, or a snapshot if that is no longer known"),
        ("slopn watch | jq -c 'select(.body.type == \"state\") | .body.state'", ""),
    ),
    see=("status", "logs"),
)


def run(arguments: argparse.Namespace) -> int:
    """Print until interrupted. Status 3 if there is no helper to begin with."""
    after, epoch = arguments.after, arguments.epoch
    if (after is None) != (not epoch) or (after is not None and after < 0):
        raise Failure(Status.USAGE, "--after and --epoch go together; N isn't below 0.")
    with Follower(after, epoch) as follower:
        while True:
            put_json_lines(follower.next())
