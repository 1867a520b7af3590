"""Writes the table of docs/attacks.md from the tests in tests/attacks: `python -m tools.attacks`; `--check` compares.

A test's docstring is its row: the first paragraph is the attack, the second one the answer.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests/attacks"
PAGE = ROOT / "docs/attacks.md"
BEGIN, END = "<!-- attacks: written by tools/attacks.py -->\n", "<!-- end of attacks -->\n"
NO_ATTACKS = ("test_surface", "test_table", "test_floods::test_each_attack_is_here")
"""Files, and tests, that look after the others or the documents."""


class Row(NamedTuple):
    """One attack."""

    attack: str
    answer: str
    test: str
    """`test_users::test_stranger`."""


class Chapter(NamedTuple):
    """One file."""

    about: str
    rows: list[Row]


def chapters() -> list[Chapter]:
    """All attacks. Raises `ValueError` for a test that doesn't say what it is."""
    found = []
    for path in sorted(TESTS.glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        rows = [
            _row(f"{path.stem}::{node.name}", ast.get_docstring(node))
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            if not {path.stem, f"{path.stem}::{node.name}"} & set(NO_ATTACKS)
        ]
        if rows:
            found.append(Chapter(_line(ast.get_docstring(tree) or path.stem), rows))
    return found


def table() -> str:
    """The chapters as Markdown."""
    lines = []
    for chapter in chapters():
        lines += [f"\n## {chapter.about.rstrip('.')}\n", "| attack | answer | test |", "|---|---|---|"]
        lines += [f"| {row.attack} | {row.answer} | `{row.test}` |" for row in chapter.rows]
    return "\n".join([f"{sum(len(chapter.rows) for chapter in chapters())} attacks.", *lines, ""])


def written(page: str) -> str:
    """`page` with the table as it is now."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


def _row(test: str, docstring: str | None) -> Row:
    paragraphs = (docstring or "").split("\n\n")
    if len(paragraphs) != 2:
        raise ValueError(f"{test} says an attack and its answer, a paragraph each: {docstring!r}")
    return Row(_line(paragraphs[0]), _line(paragraphs[1]), test)


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write, or compare."""
    page = PAGE.read_text(encoding="utf-8")
    new = written(page)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    if new == page:
        return 0
    print("docs/attacks.md is not what the tests say: run `.venv/bin/python -m tools.attacks`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
