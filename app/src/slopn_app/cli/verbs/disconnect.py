"""`slopn disconnect [--wait [S]]`, and what it shares with connect and reconnect."""

from __future__ import annotations

import argparse
import math
import time

from slopn_app.cli import wait
from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json, say, warn
from slopn_app.cli.verb import Argument, Verb
from slopn_app.locale import t

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.cli.documents import SnapshotDoc

WAIT = Argument(
    ("--wait",),
    f"wait until it is done, at most S seconds ({wait.DEFAULT:g}); status 5 when it isn't by then",
    {"nargs": "?", "const": f"{wait.DEFAULT:g}", "metavar": "S"},
)
VERB = Verb(
    "take the tunnel down, and want none",
    (WAIT,),
    "Afterwards your traffic goes out directly; with the kill switch on `always` it is blocked.",
    examples=(("slopn disconnect --wait", "until the host is as it was before"),),
    see=("connect", "pause", "unlock"),
)


def run(arguments: argparse.Namespace) -> int:
    """Disconnect; with `--wait` status 0 means that the tunnel is gone and the host as before."""
    limit = seconds(arguments.wait)
    command = {"type": "disconnect"}
    with Channel() as channel:
        if limit is None:
            return accepted(channel.do(command)["notes"], t("SloPN disconnects now."), as_json=arguments.json)
        return arrived(*wait.disconnected(channel, command, limit), as_json=arguments.json)


def seconds(text: str | None) -> float | None:
    """The value of `--wait`. Raises `Failure`."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 86_400:
        raise Failure(Status.USAGE, t("--wait takes seconds, from 0 to 86400; {text} is none.", text=repr(text)))
    return value


def accepted(notes: list[str], line: str, *, as_json: bool) -> int:
    """Say that the command was taken."""
    warn(*notes)
    if as_json:
        put_json({"accepted": True, "notes": notes})
    else:
        say(line)
    return Status.DONE


def arrived(snapshot: SnapshotDoc, notes: list[str], *, as_json: bool) -> int:
    """Say where the tunnel is now."""
    from slopn_app.cli.report import headline, status

    warn(*notes)
    if as_json:
        put_json(status(snapshot))
    else:
        title, line = headline(snapshot, time.time())
        say(title, f"  {line}")
    return Status.DONE
