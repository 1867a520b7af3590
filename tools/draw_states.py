"""Draws the state diagram of docs/architecture.md from the core itself: `python -m tools.draw_states`; `--check` compares."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("helper/src", "helper/wire/src", "tests")]

from model.world import explore  # noqa: E402 - the path is set above
from slopn_wire.settings import Settings  # noqa: E402

PAGE = ROOT / "docs/architecture.md"
BEGIN, END = "<!-- states: drawn by tools/draw_states.py -->\n", "<!-- end of states -->\n"


def diagram() -> str:
    """The Mermaid text: an arrow for each change of state that the model reaches, with the inputs that cause it."""
    arrows: dict[tuple[str, str], set[str]] = defaultdict(set)
    for move in explore(Settings()):
        before, after = type(move.before.state).__name__, type(move.after.state).__name__
        if before != after:
            arrows[before, after].add(type(move.inp).__name__)
    lines = [f"    {a} --> {b}: {', '.join(sorted(inputs))}" for (a, b), inputs in sorted(arrows.items())]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> Disconnected", *lines, "```", ""])


def drawn(page: str) -> str:
    """`page` with the diagram as it is now."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{diagram()}\n{END}{tail}"


def main() -> int:
    """Write, or compare."""
    page = PAGE.read_text(encoding="utf-8")
    new = drawn(page)
    if "--check" not in sys.argv:
        PAGE.write_text(new, encoding="utf-8")
    elif new != page:
        print(
            "docs/architecture.md shows other states than the code has: run .venv/bin/python -m tools.draw_states",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
