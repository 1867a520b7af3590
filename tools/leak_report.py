"""Writes docs/leak-report.md from what the leak lab found: `python -m tools.leak_report RESULTS REPORT`.

RESULTS has a JSON object a line, one for each fault under each mode (`leak.case.Row`); beside it the same is left as one
JSON document with what the machine was. Ends with 1 if a case that must be closed let a frame out, or a control is missing.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MODES = ("off", "on", "always", "on, plain tables")

_HEAD = """# What gets out while something breaks

Written by `make leak`; [leak-lab.md](leak-lab.md) says how it is made and how a fault is added.

| | |
|---|---|
{facts}

A *fault* strikes a client with the real helper, whose senders never pause; *frames* are counted at the far end of all its
cables. *Control*: frames that got out of the same host just before, with the kill switch off and no tunnel: all {classes}
classes of traffic each time, the rarest in brackets. *Leaked*: neither the tunnel's nor the link's own (ARP, DHCP, neighbour
discovery), from the fault until it is put right. *Closed*: none. *Open*: the policy table of [security.md](security.md) doesn't
call it closed, and the last column says why; `off` shows that the fault lets something out.
*Passed*: frames that may pass by design, which the last column names.

"""
_COLUMNS = "| fault | mode | seconds | tried | control | leaked | passed | verdict | why |\n|---|---|--:|--:|--:|--:|--:|---|---|"


def main(arguments: Sequence[str]) -> int:
    """Write the report; 1 if anything in it is wrong."""
    results, report = map(Path, arguments)
    rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    facts = machine(rows)
    results.with_suffix(".json").write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    report.write_text(page(facts, rows), encoding="utf-8")
    wrong = [row for row in rows if row["verdict"] not in {"closed", "open"}]
    for row in wrong:
        print(f"{row['verdict']}: {row['fault']}, {row['mode']}: {row['leaked']}", file=sys.stderr)
    return 1 if wrong or not rows else 0


def page(facts: dict[str, str], rows: Sequence[dict[str, Any]]) -> str:
    """The report as Markdown: by the faults' names, their modes one below the other."""
    in_order = sorted(rows, key=lambda row: (_natural(row["fault"]), MODES.index(row["mode"])))
    classes = len(rows[0]["control"]) if rows else 0
    head = _HEAD.format(facts="\n".join(f"| {name} | {value} |" for name, value in facts.items()), classes=classes)
    return head + "\n".join([_COLUMNS, *map(_line, in_order)]) + "\n"


def machine(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """What the figures were taken on, and what came out in short."""
    closed = [row for row in rows if row["verdict"] == "closed"]
    leaks = [row for row in rows if row["verdict"] == "LEAK"]
    return {
        "commit": _said("git", "rev-parse", "--short=12", "HEAD") or "none",
        "kernel": platform.release(),
        "nft": re.sub(r"\s*\(.*", "", _said("nft", "--version")),
        "MTU": "1500 on the cables, 1420 in the tunnel",
        "rounds": "30 a second, of 70 packets each on the host and 19 in each container",
        "cases": f"{len(rows)}, of {len({row['fault'] for row in rows})} faults",
        "tried": f"{sum(row['tried'] for row in rows):,} packets",
        "closed": f"{len(closed)} cases, {sum(row['tried'] for row in closed):,} packets tried, 0 frames leaked",
        "leaks where it must be closed": str(len(leaks)),
    }


def _line(row: dict[str, Any]) -> str:
    control = f"{sum(row['control'].values()):,} ({min(row['control'].values())})"
    leaked = sum(row["leaked"].values())
    cells = (row["fault"], row["mode"], f"{row['seconds']:.1f}", f"{row['tried']:,}", control, f"{leaked:,}", row["passed"],
             row["verdict"], row["why"] or ("no kill switch" if row["mode"] == "off" else ""))  # fmt: skip
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """For sorting: effect 2 before effect 10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def _said(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
