"""A fake helper behind $SLOPN_SOCKET, and the command line that talks to it; neither sees the user's home or keyring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fake_helper import FakeHelper
from support.slopn import Slopn, pair


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where front ends keep their keys during a test; there is no keyring, no session bus and no screen."""
    folder = tmp_path / "home"
    folder.mkdir()
    for variable in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(folder))
    for variable in ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("SLOPN_KEYRING", "no")
    return folder


@pytest.fixture
def helper(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHelper]:
    """Running, and where front ends look for it. The command line is paired already, so that nothing is said of that."""
    assert home.is_dir()
    with FakeHelper(tmp_path / "run") as running:
        monkeypatch.setenv("SLOPN_SOCKET", running.path)
        pair(running.path)
        yield running


@pytest.fixture
def slopn(capsys: pytest.CaptureFixture[str]) -> Slopn:
    """The command."""
    return Slopn(capsys)
