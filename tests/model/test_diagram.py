"""The state diagram in the documentation is the code's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_diagram_shows_the_states_as_they_are() -> None:
    """`tools.draw_states` would draw what stands in docs/architecture.md."""
    check = subprocess.run(
        [sys.executable, "-m", "tools.draw_states", "--check"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert check.returncode == 0, check.stderr
