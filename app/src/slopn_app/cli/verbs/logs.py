"""`slopn logs [-f] [--level LEVEL] [--since WHEN]`: the helper's own log, without secrets."""

from __future__ import annotations

import argparse
import json
import re
import time

from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure, Status
from slopn_app.cli.output import clean
from slopn_app.cli.verb import Argument, Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.cli.documents import LogLineDoc

LEVELS = ("debug", "info", "warning", "error", "critical")
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
            ("--since",),
            "from then on: 90s, 10m, 2h, 1d ago; 14:02 today; 2026-01-31T14:02; or Unix time",
            {"metavar": "WHEN"},
        ),
    ),
    "With --json each line is one JSON object.",
)
_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_FAR = 1e12
"""Seconds from 1970 that no log reaches."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def run(arguments: argparse.Namespace) -> int:
    """Print what the helper still has; with `--follow` go on until the helper ends."""
    since = 0.0 if arguments.since is None else moment(arguments.since, time.time())
    with Channel() as channel:
        if arguments.follow:
            channel.watch(logs=True)
        lines = channel.logs(since, arguments.level)["lines"]
        _print(lines, as_json=arguments.json)
        if not arguments.follow:
            return Status.DONE
        # Lines of the moment between the two requests come both ways.
        printed = {json.dumps(line) for line in lines}
        wanted = LEVELS[LEVELS.index(arguments.level) :]
        while True:
            message = channel.streamed()
            if message is None or message["type"] == "event":
                continue
            if message["type"] == "lagged":
                channel.watch(logs=True)
            elif message["level"] in wanted and json.dumps(message) not in printed:
                _print([message], as_json=arguments.json)


def moment(text: str, now: float) -> float:
    """Unix time of what `--since` means at `now`. Raises `Failure`."""
    at = _moment(text, now)
    if at is None or not -_FAR < at < _FAR:
        raise Failure(
            Status.USAGE, f"--since can't be {text!r}; it can be 10m, 2h, 14:02, 2026-01-31T14:02 or Unix time."
        )
    return at


def _moment(text: str, now: float) -> float | None:
    from datetime import datetime

    if ago := _AGO.fullmatch(text):
        return now - float(ago[1]) * _SECONDS[ago[2]]
    try:
        return float(text)
    except ValueError:
        pass
    today = datetime.fromtimestamp(now).astimezone().date().isoformat()
    try:
        return datetime.fromisoformat(f"{today}T{text}" if re.match(r"\d\d:", text) else text).timestamp()
    except (ValueError, OverflowError):
        return None


def _print(lines: list[LogLineDoc], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            print(json.dumps({key: value for key, value in line.items() if key != "type"}), flush=True)
        else:
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line["at"]))
            text = line["message"].replace("\n", "\n    ")
            print(clean(f"{at} {line['level']:<8} {line['logger']}: {text}"), flush=True)
