"""`slopn connect [PROFILE] [--wait [S]]`."""

from __future__ import annotations

import argparse

from slopn_app.cli import wait
from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure
from slopn_app.cli.verb import Argument, Verb
from slopn_app.cli.verbs.disconnect import WAIT, accepted, arrived, seconds
from slopn_app.locale import t

VERB = Verb(
    "bring a tunnel up",
    (
        Argument(
            ("profile",),
            "the profile's name; left out: the one used last, or the only one",
            {"nargs": "?", "metavar": "PROFILE"},
            "profile",
        ),
        WAIT,
    ),
    "Without --wait the command is handed over and the status is 0 at once; `slopn status` shows how it goes.\n"
    "With --wait the status is 0 once traffic flows through the tunnel, 1 when there can be no tunnel, and 5 after S\n"
    "seconds. Connecting ends a pause.",
    examples=(
        ("slopn connect berlin --wait", ""),
        ("slopn connect", "the profile used last, or the only one"),
        ("slopn connect && slopn status --watch", "and see how it goes"),
    ),
    see=("disconnect", "profiles", "status"),
)


def run(arguments: argparse.Namespace) -> int:
    """Connect; with `--wait` status 0 means that traffic flows through the tunnel."""
    profile, limit = _arguments(arguments.profile, arguments.wait)
    command = {"type": "connect", "profile": profile}
    with Channel() as channel:
        if limit is None:
            return accepted(channel.do(command)["notes"], t("SloPN connects now."), as_json=arguments.json)
        return arrived(*wait.connected(channel, command, limit), as_json=arguments.json)


def _arguments(profile: str | None, limit: str | None) -> tuple[str | None, float | None]:
    """`--wait berlin` was meant as `berlin --wait`: the number is optional, and so the parser takes the name for it."""
    try:
        return profile, seconds(limit)
    except Failure:
        if profile is not None:
            raise
        return limit, wait.DEFAULT
