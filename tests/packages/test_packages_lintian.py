"""Debian's own judge of packages finds nothing, but for what installers/linux/lintian gives reasons for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.package_files import built_now
from tools.plain import BUNDLES

pytestmark = pytest.mark.packages


def test_lintian_has_nothing_to_say(tmp_path: Path) -> None:
    """Errors and warnings; of each package."""
    now = built_now(tmp_path, *BUNDLES)
    lintian = ["lintian", "--allow-root", "--no-cfg", "--fail-on", "error,warning", "--tag-display-limit", "0"]
    done = subprocess.run([*lintian, *map(str, now)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
