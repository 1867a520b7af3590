"""`make bench`: our engine against the latest wireguard-go, alternated in one run, on this machine."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from bench import engines, firewall, latency, link, measure, packets, peers, roam, table
from bench.measure import CASES, Case, Result

PARTS = ("throughput", "packets", "peers", "latency", "roam", "firewall")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is asked for, print tables and verdicts, keep each result as a JSON line."""
    args = _arguments(argv)
    machine = _machine()
    print(f"machine: {machine['cores']} cores, {machine['processor']}, Linux {machine['kernel']}, {machine['iperf3']}")
    for engine in filter(None, map(engines.named, args.engines)):
        print(f"{engine.name}: {engine.version}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("a", encoding="utf-8") as out:
        if "throughput" in args.only:
            for line in args.lines:
                _throughput(args, line, machine, out)
        if "packets" in args.only:
            _packets(args, machine, out)
        if "peers" in args.only:
            _peers(args, machine, out)
        if "latency" in args.only:
            _latency(args, machine, out)
        if "roam" in args.only:
            _roam(args, machine, out)
        if "firewall" in args.only:
            _firewall(args, machine, out)
    print(f"kept in {args.out}")
    return 0


def _throughput(args: argparse.Namespace, line: str, machine: dict[str, object], out: IO[str]) -> None:
    chosen = {name: engines.named(name) for name in args.engines}
    results: dict[tuple[str, Case], list[Result]] = defaultdict(list)
    print(f"\nline: {line}")
    try:
        with link.ends(line) as ends:
            for number in range(args.rounds):
                for name in _order(chosen, number):
                    engine = chosen[name]
                    with link.tunnel(ends, engine) as tunnel:
                        idle = [measure.rss(pid)[0] for pid in tunnel.pids]
                        for case in args.cases:
                            result = measure.run(ends, tunnel, case, args.seconds)
                            results[name, case].append(result)
                            about = {"round": number, "engine": name, "version": engine.version if engine else None}
                            about |= {"case": case.name, "line": line, "seconds": args.seconds, "mtu": link.MTU}
                            _keep(out, machine | about | {"idle_rss": idle} | result._asdict())
                            cost = "" if result.seconds_per_gb is None else f"  {result.seconds_per_gb:5.2f} CPU s/GB"
                            noise = f"  others {result.foreign:.0%}" if result.foreign > table.QUIET else ""
                            said = f"{name:13} {case.name:3} {result.gbps:6.2f} Gb/s{cost}{noise}"
                            print(f"{number + 1}/{args.rounds} {said}", flush=True)
    except LookupError as error:
        print(error)
        return
    ordered = {(name, case): results[name, case] for name in chosen for case in args.cases}
    print(
        f"\nmedian of {args.rounds} × {args.seconds:g} s, MTU {link.MTU}, TCP over veth ({line}), both ends the same engine"
    )
    print(table.render(ordered), *table.verdict(ordered), sep="\n", end="\n\n")


def _packets(args: argparse.Namespace, machine: dict[str, object], out: IO[str]) -> None:
    chosen = {name: engines.named(name) for name in args.engines}
    results: dict[str, list[packets.Packets]] = {name: [] for name in chosen}
    with link.ends() as ends:
        for number in range(args.rounds):
            for name in _order(chosen, number):
                engine = chosen[name]
                with link.tunnel(ends, engine) as tunnel:
                    results[name].append(found := packets.run(ends, tunnel, args.seconds))
                about = {"round": number, "engine": name, "version": engine.version if engine else None}
                _keep(out, machine | about | {"packets": found._asdict(), "mtu": link.MTU})
    print(f"\nmedian of {args.rounds} × {args.seconds:g} s, one sender\n{packets.render(results)}\n", flush=True)


def _order(chosen: Mapping[str, object], number: int) -> list[str]:
    """Each round in an order of its own, so that nobody always comes after the same; the next round has it backwards."""
    names = list(chosen)
    random.Random(number // 2).shuffle(names)
    return names[:: 1 if number % 2 == 0 else -1]


def _peers(args: argparse.Namespace, machine: dict[str, object], out: IO[str]) -> None:
    crowd = peers.run(args.rounds, args.seconds)
    _keep(out, machine | {"peers": crowd._asdict()})
    print(f"\n{peers.render(crowd)}\n", flush=True)


def _latency(args: argparse.Namespace, machine: dict[str, object], out: IO[str]) -> None:
    for part in (latency.kill_switch, latency.status, latency.connect):
        timing = part(args.tries)
        about = {"timing": timing.name, "ours": list(timing.ours), "against": list(timing.against)}
        _keep(out, machine | about)
        print(timing, flush=True)


def _roam(args: argparse.Namespace, machine: dict[str, object], out: IO[str]) -> None:
    gaps = roam.measure(args.tries)
    for (name, event), seconds in gaps.items():
        _keep(out, machine | {"roam": event, "engine": name, "mtu": roam.MTU, "gaps": seconds})
    print(
        f"\nseconds without an answer, {args.tries} times each, one datagram each {1e3 * roam.INTERVAL:g} ms through "
        f"a tunnel of MTU {roam.MTU} over veth; the gateway is {engines.OURS} {engines.commit()} for both"
    )
    print(roam.render(gaps), end="\n\n")


def _firewall(args: argparse.Namespace, machine: dict[str, object], out: IO[str]) -> None:
    taken = firewall.applies(args.tries)
    for (kind, before, after), seconds in taken.items():
        _keep(out, machine | {"firewall": kind, "from": before, "to": after, "applies": list(seconds)})
    print(f"\n{firewall.render(taken)}\n", flush=True)
    gaps = firewall.gaps(args.tries)
    about = {"guard": [gap.seconds for gap in gaps], "leaked": [gap.leaked for gap in gaps]}
    _keep(out, machine | about)
    print(firewall.render_gaps(gaps), flush=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    cases = {case.name: case for case in CASES}
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="of each run")
    parser.add_argument("--tries", type=int, default=11, help="of each latency, and of each change of the network")
    parser.add_argument(
        "--engines", nargs="+", default=list(engines.NAMES),
        choices=engines.NAMES
    )  # fmt: skip
    parser.add_argument("--lines", nargs="+", default=[link.GSO, link.NO_GSO], choices=link.LINES)
    parser.add_argument(
        "--cases", nargs="+", default=list(CASES), type=cases.__getitem__, metavar="CASE", help=", ".join(cases)
    )
    parser.add_argument(
        "--out", type=Path, default=engines.ROOT / f".cache/bench/{stamp}.jsonl", help="JSON lines, appended"
    )
    return parser.parse_args(argv)


def _machine() -> dict[str, object]:
    processor = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text("ascii").splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    iperf3 = subprocess.run(["iperf3", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return {
        "commit": engines.commit(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "processor": processor,
        "iperf3": iperf3,
        "load": os.getloadavg()[0],
        "time": time.time(),
    }


def _keep(out: IO[str], line: dict[str, object]) -> None:
    out.write(json.dumps(line) + "\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
