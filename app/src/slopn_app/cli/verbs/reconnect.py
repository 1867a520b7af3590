"""`slopn reconnect [--wait [S]]`."""

from __future__ import annotations

import argparse

from slopn_app.cli import wait
from slopn_app.cli.channel import Channel
from slopn_app.cli.verb import Verb
from slopn_app.cli.verbs.disconnect import WAIT, accepted, arrived, seconds
from slopn_app.locale import t

VERB = Verb(
    "take the tunnel down and bring the same one up again",
    (WAIT,),
    "With the kill switch on nothing leaves in between. SloPN reconnects by itself when a tunnel dies; this is for\n"
    "when you know better.",
    examples=(("slopn reconnect --wait", ""),),
    see=("connect", "status"),
)


def run(arguments: argparse.Namespace) -> int:
    """Reconnect; with `--wait` status 0 means that a fresh tunnel is up."""
    limit = seconds(arguments.wait)
    command = {"type": "reconnect"}
    with Channel() as channel:
        if limit is None:
            return accepted(channel.do(command)["notes"], t("SloPN reconnects now."), as_json=arguments.json)
        return arrived(*wait.connected(channel, command, limit, fresh=True), as_json=arguments.json)
