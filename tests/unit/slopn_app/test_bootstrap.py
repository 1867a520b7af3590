from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slopn_app import bootstrap
from slopn_app.credentials.vault import Unavailable
from slopn_app.host.memfd import load_key
from slopn_app.host.secret_service import SecretService


def test_the_parts_are_this_systems(home: Path) -> None:
    """The state is kept where the environment says."""
    host = bootstrap.host()
    assert host.files.state_directory() == f"{home}/slopn"
    assert host.load_key is load_key


@pytest.mark.parametrize(
    ("variable", "graphical"), [("DISPLAY", True), ("WAYLAND_DISPLAY", True), ("XDG_SESSION_ID", False)]
)
def test_a_screen_is_seen_by_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str, graphical: bool) -> None:
    """X or Wayland; a login over ssh has neither."""
    monkeypatch.setenv(variable, ":0")
    assert bootstrap.host().graphical is graphical


def test_the_keyring_is_the_desktops(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other backend is ever chosen, whatever is installed or stated."""
    monkeypatch.setenv("SLOPN_KEYRING", "yes")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert isinstance(bootstrap.host().vault(), SecretService)


@pytest.mark.parametrize(("uid", "word", "why"), [(0, "", "root has no keyring"), (1000, "no", "SLOPN_KEYRING=no")])
def test_who_has_no_keyring_is_told_why(monkeypatch: pytest.MonkeyPatch, uid: int, word: str, why: str) -> None:
    """Root, and who doesn't want one."""
    monkeypatch.setenv("SLOPN_KEYRING", word)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    with pytest.raises(Unavailable, match=why):
        bootstrap.host().vault()


def test_root_never_imports_a_keyring() -> None:
    """It costs time and knows no bus of root's."""
    code = """
import sys
from slopn_app import bootstrap
from slopn_app.cli import channel
try:
    bootstrap.host().vault()
except Exception as error:
    print(error)
print(*sorted(name for name in sys.modules if name.split(".")[0] in {"keyring", "jeepney", "cryptography", "asyncio", "msgspec"}))
"""
    environ = {**os.environ, "SLOPN_KEYRING": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "root has no keyring\n\n"
