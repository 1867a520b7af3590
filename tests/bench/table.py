"""Many results → one table, and how far the targets are."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from bench.engines import OURS, WIREGUARD_GO
from bench.measure import CASES, Case, Result

Results = Mapping[tuple[str, Case], Sequence[Result]]

THROUGHPUT_TARGET = 2.0
"""Ours over wireguard-go's, at least."""
CPU_TARGET = 0.5
"""CPU seconds per GB, ours over wireguard-go's, at most."""
QUIET = 0.1
"""Above this part of the CPU time, others are worth a word."""


def render(results: Results) -> str:
    """A Markdown table: median, least and most of each case, then CPU and memory over all cases.

    A star: in some of the rounds others took much of the CPU time.
    """
    names = list(dict.fromkeys(name for name, _ in results))
    cases = [case for case in CASES if any((name, case) in results for name in names)]
    head = ["engine", *(f"{case.name} Gb/s" for case in cases), "CPU s/GB", "RSS MB, after / peak"]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for name in names:
        speeds = [_speeds(results[name, case]) for case in cases]
        cost = cpu(results, name)
        rows.append([name, *speeds, "–" if cost is None else f"{cost:.2f}", _memory(results, name)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def verdict(results: Results) -> list[str]:
    """One sentence a target; nothing when one of the two engines wasn't measured."""
    cases = [case for case in CASES if (OURS, case) in results and (WIREGUARD_GO, case) in results]
    if not cases:
        return []
    ratios = {case: throughput(results, OURS, case) / throughput(results, WIREGUARD_GO, case) for case in cases}
    worst = min(ratios, key=lambda case: ratios[case])
    middle = statistics.median(ratios.values())
    shown = ", ".join(f"{case.name} {ratio:.2f}" for case, ratio in ratios.items())
    lines = [
        (
            f"throughput: {middle:.2f} times wireguard-go's in the median ({shown}; least {ratios[worst]:.2f}); "
            f"target at least {THROUGHPUT_TARGET}: {_met(ratios[worst] >= THROUGHPUT_TARGET)}"
        )
    ]
    ours, theirs = cpu(results, OURS), cpu(results, WIREGUARD_GO)
    if ours is not None and theirs:
        ratio = ours / theirs
        lines.append(
            f"CPU seconds per GB: {ratio:.2f} of wireguard-go's; target at most {CPU_TARGET}: {_met(ratio <= CPU_TARGET)}"
        )
    foreign = statistics.mean(result.foreign for some in results.values() for result in some)
    if foreign > QUIET:
        lines.append(
            f"{foreign:.0%} of the machine's CPU time went to others: on a quiet machine the figures are better".replace(
                "%", " %", 1
            )
        )
    return lines


def _speeds(some: Sequence[Result]) -> str:
    speeds = [result.gbps for result in some]
    star = "\\*" if any(result.foreign > QUIET for result in some) else ""
    return f"{statistics.median(speeds):.2f} ({min(speeds):.2f}–{max(speeds):.2f}){star}"


def throughput(results: Results, name: str, case: Case) -> float:
    """Median of 10⁹ bits a second."""
    return statistics.median(result.gbps for result in results[name, case])


def cpu(results: Results, name: str) -> float | None:
    """Median over every run of the engine; `None` without an engine."""
    costs = [result.seconds_per_gb for result in _all(results, name) if result.seconds_per_gb is not None]
    return statistics.median(costs) if costs else None


def _memory(results: Results, name: str) -> str:
    after = [kib for result in _all(results, name) for kib in result.rss]
    peak = [kib for result in _all(results, name) for kib in result.peak_rss]
    return f"{statistics.median(after) / 1024:.0f} / {max(peak) / 1024:.0f}" if after else "–"


def _all(results: Results, name: str) -> list[Result]:
    return [result for (engine, _), some in results.items() if engine == name for result in some]


def _met(met: bool) -> str:
    return "met" if met else "not met"
