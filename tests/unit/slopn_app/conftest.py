"""A fake helper behind $SLOPN_SOCKET, and the command line that talks to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fake_helper import FakeHelper
from support.slopn import Slopn


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHelper]:
    """Running, and where front ends look for it."""
    with FakeHelper(tmp_path / "run") as running:
        monkeypatch.setenv("SLOPN_SOCKET", running.path)
        yield running


@pytest.fixture
def slopn(capsys: pytest.CaptureFixture[str]) -> Slopn:
    """The command."""
    return Slopn(capsys)
