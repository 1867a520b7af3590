from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slopn_helper.bootstrap import installed_prefix


def test_a_frozen_helper_knows_the_bundle_beside_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the program itself, whichever link it was started by; the helper's and the gateway's bundles are none."""
    program = tmp_path / "lib/slopn/slopn-helper/slopn-helper"
    program.parent.mkdir(parents=True)
    program.touch()
    link = tmp_path / "sbin"
    link.symlink_to(program.parent)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(link / "slopn-helper"))
    assert installed_prefix() == tmp_path.resolve() / "lib/slopn/slopn"


def test_from_source_nobody_is_installed() -> None:
    """Any program could stand beside an interpreter."""
    assert installed_prefix() is None
