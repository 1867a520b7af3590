"""`make load`: the control plane under load, with the real helper. Figures, targets and gates as a table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.engines import ROOT, commit
from load import attacks, enrolments, following, restarts, roundtrip, watching
from load.figures import Figure, table

PARTS: dict[str, Callable[[argparse.Namespace], list[Figure]]] = {
    "watching": lambda args: watching.figures(args.clients, args.rate, args.seconds),
    "restarts": lambda args: restarts.figures(args.restarts),
    "following": lambda args: following.figures(args.rounds, args.run),
    "roundtrip": lambda args: roundtrip.figures(args.commands, args.tries),
    "enrolments": lambda args: enrolments.figures(args.enrolling, args.press),
    "attacks": lambda args: attacks.figures(args.attack, args.hostile),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for and print it; the status is 1 if a gate or a target was missed."""
    args = _arguments(argv)
    about = {
        "commit": commit(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "time": time.time(),
    }
    say(", ".join(f"{name} {value}" for name, value in about.items() if name != "time"))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    found: list[Figure] = []
    with args.out.open("a", encoding="utf-8") as out:
        for name in args.only:
            say(f"{name} …")
            for figure in PARTS[name](args):
                found.append(figure)
                out.write(json.dumps(about | figure._asdict()) + "\n")
    say("", table(found), "", f"kept in {args.out}")
    missed = [figure for figure in found if figure.met is False]
    say(f"{len(missed)} of {sum(figure.met is not None for figure in found)} targets missed")
    return 1 if missed else 0


def say(*lines: str) -> None:
    """On the terminal, at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    parser = argparse.ArgumentParser(prog="make load ARGS=…", description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--clients", type=int, default=100, help="that watch")
    parser.add_argument("--rate", type=int, default=1000, help="events a second")
    parser.add_argument("--seconds", type=float, default=60, help="of watching")
    parser.add_argument("--restarts", type=int, default=50)
    parser.add_argument(
        "--rounds", type=int, default=12, help="runs of the tunnel, with a reader of the log and without"
    )
    parser.add_argument("--run", type=float, default=8, help="seconds of each of them")
    parser.add_argument("--commands", type=int, default=2000, help="of each kind, over a connection that stands")
    parser.add_argument("--tries", type=int, default=31, help="of slopn status")
    parser.add_argument("--enrolling", type=float, default=10, help="seconds of enrolments, each way")
    parser.add_argument("--press", type=float, default=600, help="seconds of twice as many")
    parser.add_argument("--attack", type=float, default=10, help="seconds of each attack, at least")
    parser.add_argument("--hostile", type=int, default=2, help="processes that attack at once")
    parser.add_argument("--out", type=Path, default=ROOT / f".cache/load/{stamp}.jsonl", help="JSON lines, appended")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
