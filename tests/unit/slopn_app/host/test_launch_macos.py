"""A program of ours is started by open(1), with what it shall do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slopn_app.host.launch_macos import MacLauncher


def test_a_bundle_is_opened_with_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its place, not by a name that another program may have; the child is waited for."""
    asked: list[tuple[str, tuple[str, ...]]] = []
    real = os.posix_spawn

    def spawn(path: str, arguments: tuple[str, ...], _: dict[str, str]) -> int:
        asked.append((path, arguments))
        return real("/bin/true", ["true"], {})

    monkeypatch.setattr(os, "posix_spawn", spawn)
    MacLauncher(tmp_path).launch("slopn-window", ("slopn://show/logs",))
    bundle = str(tmp_path / "slopn-window.app")
    assert asked == [("/usr/bin/open", ("/usr/bin/open", "-a", bundle, "--args", "slopn://show/logs"))]
