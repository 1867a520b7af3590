"""`slopn logs [-f] [--level LEVEL] [--component NAME] [--text TEXT] [--since WHEN]`: the helper's log, without secrets."""

from __future__ import annotations

import argparse
import time

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import put_json_lines, say, stamp, warn
from slopn_app.cli.times import moment
from slopn_app.cli.verb import Argument, Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from slopn_app.cli.documents import LogLineDoc, LogsDoc
    from slopn_app.cli.output import Line

    Filter = dict[str, str]

LEVELS = ("debug", "info", "warning", "error", "critical")
COLOURS = {"debug": "faint", "warning": "attention", "error": "bad", "critical": "bad"}
"""By level; what isn't here is plain."""
FIRST_DELAY = 0.1
LONGEST_DELAY = 1.0
"""Seconds between tries to reach a helper that is gone: doubled each time, from the first to the longest."""
VERB = Verb(
    "print the helper's log",
    (
        Argument(("-f", "--follow"), "go on with new lines until interrupted", {"action": "store_true"}),
        Argument(
            ("--level",),
            "this level and graver ones: %(choices)s",
            {"choices": LEVELS, "default": "debug", "metavar": "LEVEL"},
            " ".join(LEVELS),
        ),
        Argument(
            ("--component",),
            "one part of the helper alone, as tunnel or ipc.server",
            {"default": "", "metavar": "NAME"},
            "tunnel engine host ipc",
        ),
        Argument(("--text",), "lines with this text in them, in any case", {"default": "", "metavar": "TEXT"}),
        Argument(
            ("--since",),
            "from then on: 90s, 10m, 2h, 1d ago; 14:02 today; 2026-01-31T14:02; or Unix time",
            {"metavar": "WHEN"},
        ),
    ),
    "Lines are numbered from 1 at each start of the helper; one that isn't there was filtered out, or is counted as\n"
    "missed. How much is logged at all is the setting log_level. -f survives a restart of the helper and says so.\n"
    'With --json each line is one JSON object; {"missed": N} stands where lines were lost.',
    examples=(
        ("slopn logs --since 10m --level warning", ""),
        ("slopn logs -f --component tunnel", "what the tunnel does, as it does it"),
        ("slopn settings set log_level debug", "log more from now on"),
    ),
    see=("settings", "diagnose", "watch"),
)


def run(arguments: argparse.Namespace) -> int:
    """Print what the helper still has; with `--follow` go on until interrupted."""
    since = 0.0 if arguments.since is None else moment(arguments.since, time.time())
    wanted = {"level": arguments.level, "component": arguments.component, "text": arguments.text}
    if arguments.follow:
        _follow(wanted, since, as_json=arguments.json)
    with Channel() as channel:
        answer: Any = channel.ask({"type": "get_logs", "filter": wanted, "since": since})
    show(answer, as_json=arguments.json)
    return Status.DONE


def _follow(wanted: Filter, since: float, *, as_json: bool) -> NoReturn:
    """Over as many connections as it takes. The first must succeed."""
    place = _Place()
    delay = 0.0
    while True:
        try:
            with Channel() as channel:
                place.find(channel, back=bool(delay))
                channel.ask({"type": "follow_logs", "filter": wanted, "since": since, "after": place.number})
                delay = FIRST_DELAY
                while True:
                    message = channel.streamed()
                    if message is not None and message["type"] == "logs":
                        place.note(message)
                        show(message, as_json=as_json)
        except Failure as failure:
            if not delay or failure.status not in {Status.UNREACHABLE, Status.TIMED_OUT}:
                raise
            place.lose(failure)
            time.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)


class _Place:
    """Where the reader is: the last line's number, and the helper's run that it belongs to."""

    def __init__(self) -> None:
        self.number = 0
        self._epoch = ""
        self._lost = False

    def find(self, channel: Channel, *, back: bool) -> None:
        """On a new connection: go on behind the last line, or from the first one of another run."""
        epoch = channel.snapshot()["epoch"]
        if back:
            warn("It is back, and counts its lines anew." if epoch != self._epoch else "It is back.")
        if epoch != self._epoch:
            self.number = 0
        self._epoch, self._lost = epoch, False

    def note(self, logs: LogsDoc) -> None:
        """These have been read."""
        if logs["lines"]:
            self.number = logs["lines"][-1]["number"]

    def lose(self, failure: Failure) -> None:
        """The helper is gone: say so, once."""
        if not self._lost:
            warn(failure.lines[0], "Waiting for it to come back; Ctrl-C ends this.")
        self._lost = True


def show(logs: LogsDoc, *, as_json: bool) -> None:
    """Print a batch."""
    if as_json:
        missed = [{"missed": logs["missed"]}] if logs["missed"] else []
        put_json_lines(*missed, *logs["lines"])
        return
    if logs["missed"]:
        say(((f"… {logs['missed']} lines were missed here", "attention"),))
    say(*map(shown, logs["lines"]))


def shown(line: LogLineDoc) -> Line:
    """One line for a person; further lines of its message are indented, so that none can pose as another entry."""
    text = line["message"].replace("\n", "\n    ")
    return (
        (f"{line['number']:>6} {stamp(line['at'])} ", "faint"),
        (f"{line['level']:<8}", COLOURS.get(line["level"], "")),
        (f" {line['component']}: {text}", ""),
    )
