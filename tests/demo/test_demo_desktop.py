"""The demo with a desktop: tray and window say the same as the helper all along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.steps import STEPS

TESTS = Path(__file__).parents[1]
PICTURES = {"status-connected", "status-blocked", "profiles", "logs", "tray-menu"}


@pytest.mark.long
def test_the_desktop_agrees_and_is_pictured(tmp_path: Path) -> None:
    """After every step; each picture is there and none is of one colour alone."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--desktop", "--pictures", str(tmp_path / "pictures")],
        env={**os.environ, "PYTHONPATH": str(TESTS), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Tray and window say so too") >= len(STEPS) + 1
    pictures = {path.stem: path for path in (tmp_path / "pictures").iterdir()}
    assert pictures.keys() == PICTURES
    for path in pictures.values():
        colours = subprocess.run(["identify", "-format", "%k", path], capture_output=True, text=True, check=True).stdout
        assert int(colours) > 20, path.name
