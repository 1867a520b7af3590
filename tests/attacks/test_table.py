from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.attacks import PAGE, chapters

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_is_what_the_tests_say() -> None:
    """Each row of docs/attacks.md has its test, and each test its row."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.attacks", "--check"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    page = PAGE.read_text(encoding="utf-8")
    rows = [row for chapter in chapters() for row in chapter.rows]
    assert all(f"`{row.test}`" in page for row in rows)
    assert page.count("| `test_") == len(rows)


def test_there_are_enough() -> None:
    """At least thirty, each said in words of its own."""
    rows = [row for chapter in chapters() for row in chapter.rows]
    assert len(rows) >= 30
    assert len({row.attack for row in rows}) == len(rows)
