from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_helper.gateway import audit
from support.gateway_cli import Cli


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Whoever runs the tests passes for root; nothing is told the machine's journal."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(audit.Audit.__init__, "__defaults__", (tmp_path / "no-journal",))
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """One that is set up."""
    made = Cli(tmp_path, capsys)
    made.make()
    return made
