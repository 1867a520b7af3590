"""`slopn pause [MINUTES]`."""

from __future__ import annotations

import argparse
import math
import time

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import clock, put_json, say, warn
from slopn_app.cli.times import duration
from slopn_app.cli.verb import Argument, Verb
from slopn_app.locale import t

DEFAULT = "5"
"""Minutes."""
LONGEST = 24 * 60 * 60
"""Seconds that the helper allows."""
VERB = Verb(
    "take the tunnel down for a while; it comes back by itself",
    (
        Argument(
            ("minutes",),
            "minutes, or a time with its unit: 90s, 2h; at most 24h (%(default)s)",
            {"nargs": "?", "default": DEFAULT, "metavar": "MINUTES"},
            "5 15 60 2h",
        ),
    ),
    "Meanwhile your traffic goes out directly; with the kill switch on `always` it is blocked.\n"
    "`slopn connect` ends the pause early, `slopn disconnect` makes it final.",
    examples=(
        ("slopn pause", "for five minutes"),
        ("slopn pause 90s", "long enough to log in to a hotel's network"),
        ("slopn connect", "end the pause now"),
    ),
    see=("connect", "disconnect", "status"),
)


def run(arguments: argparse.Namespace) -> int:
    """Pause; status 0 once the helper has taken it."""
    seconds = _seconds(arguments.minutes)
    with Channel() as channel:
        notes = channel.do({"type": "pause", "seconds": seconds})["notes"]
    warn(*notes)
    now = time.time()
    if arguments.json:
        put_json({"accepted": True, "seconds": seconds, "notes": notes})
    else:
        until = clock(now + seconds, now)
        say(t("SloPN pauses now, until {time}. `slopn connect` ends it early.", time=until))
    return Status.DONE


def _seconds(text: str) -> int:
    found = duration(text, "m")
    if found is None or not 1 <= math.ceil(found) <= LONGEST:
        raise Failure(
            Status.USAGE,
            t(
                "A pause takes minutes, or a time as 90s or 2h, from 1s to 24h; {text} is none of these.",
                text=repr(text),
            ),
        )
    return math.ceil(found)
