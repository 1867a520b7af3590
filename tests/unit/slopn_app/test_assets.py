from __future__ import annotations

from pathlib import Path

import pytest

from slopn_app import assets


def test_what_is_installed_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the package; else the sources' own."""
    here = tmp_path / "app/src/slopn_app/assets.py"
    monkeypatch.setattr(assets, "_HERE", here)
    assert assets.folder("icons") == tmp_path / "assets/icons"
    installed = here.parent / "assets/icons"
    installed.mkdir(parents=True)
    assert assets.folder("icons") == installed
