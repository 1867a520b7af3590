"""`slopn status`: what is protected and what isn't, right now."""

from __future__ import annotations

import argparse
import time

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Status
from slopn_app.cli.output import put_json, say
from slopn_app.cli.report import lines, status
from slopn_app.cli.verb import Verb

VERB = Verb("say what is protected and what isn't")


def run(arguments: argparse.Namespace) -> int:
    """Print the state; status 0 whatever the state is."""
    with Channel() as channel:
        snapshot = channel.snapshot()
    if arguments.json:
        put_json(status(snapshot))
    else:
        say(*lines(snapshot, time.time()))
    return Status.DONE
