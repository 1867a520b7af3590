"""`make kills`: helpers die by SIGKILL at many moments, and `slopn-helper restore` gives the host back each time."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from kills.lives import MODES, Kill
from kills.plan import ALL, USUAL, measure, tries
from kills.world import MECHANISMS, World
from slopn_helper.tunnel.effects import Effect


def main(argv: Sequence[str] | None = None) -> int:
    """Kill, restore, compare; a table, the figures as JSON, and status 1 if anything ever was not as before."""
    args = _arguments(argv)
    begun = time.monotonic()
    done: list[Kill] = []
    kinds: set[str] = set()
    lost: list[str] = []
    with tempfile.TemporaryDirectory(prefix="slopn-kills-") as home:
        os.environ["XDG_STATE_HOME"] = home
        for mechanism in args.only:
            with World(mechanism) as world:
                for mode in args.modes:
                    lengths = measure(world, mode)
                    kinds |= lengths.kinds
                    print(
                        f"{mechanism}, {mode}: {lengths.effects} effects, {lengths.steps} steps; of "
                        f"{len(lengths.power)} changes a power cut takes the inverse of {len(lengths.lost())} away",
                        *lengths.lost(),
                        sep="\n  ",
                        flush=True,
                    )
                    lost += lengths.lost()
                    for attempt, number in tries(lengths, ALL if args.all else USUAL, mode):
                        kill = attempt(world, mode, number)
                        done.append(kill)
                        if kill.left:
                            print(f"{mechanism} {mode} {kill.way} {number} ({kill.after}):", *kill.left, sep="\n  ")
                            # Whatever comes after it would only say the same again.
                            world.before = world.look()
                    print(f"  {_kills(done)} kills so far, {time.monotonic() - begun:.0f} s", flush=True)
    seconds = time.monotonic() - begun
    print(*table(done), sep="\n")
    missing = sorted({effect.__name__ for effect in get_args(Effect)} - kinds)
    bad = [kill for kill in done if kill.left]
    steps = len({kill.after for kill in done})
    print(
        f"\n{_kills(done)} kills in {len(done)} lives, {seconds:.0f} s: after {steps} different steps and effects; "
        f"{sum(kill.dirty > 0 for kill in done)} left something to undo; "
        f"{len(bad)} times the host was not as before."
    )
    if missing:
        print(f"Effects that no life had: {', '.join(missing)}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = {"kills": _kills(done), "seconds": round(seconds), "failures": len(bad), "lives": list(map(asdict, done))}
    args.out.write_text(json.dumps(about, indent=1), encoding="utf-8")
    print(f"kept in {args.out}")
    return 1 if bad or missing or lost else 0


def table(done: Sequence[Kill]) -> list[str]:
    """Kills by the way of dying and the mechanism."""
    mechanisms = list(dict.fromkeys(kill.mechanism for kill in done))
    counts: Counter[tuple[str, str]] = Counter()
    for kill in done:
        counts[kill.way, kill.mechanism] += kill.kills
    ways = list(dict.fromkeys(kill.way for kill in done))
    lines = [f"\n{'SIGKILL':38}" + "".join(f"{name:>16}" for name in mechanisms)]
    lines += [f"{way:38}" + "".join(f"{counts[way, name]:>16}" for name in mechanisms) for way in ways]
    return lines


def _kills(done: Sequence[Kill]) -> int:
    return sum(kill.kills for kill in done)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make kills ARGS=…", description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(MECHANISMS), choices=MECHANISMS, metavar="MECHANISM")
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--all", action="store_true", help="every moment: hours")
    parser.add_argument("--out", type=Path, default=Path(".cache/kills/last.json"))
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
