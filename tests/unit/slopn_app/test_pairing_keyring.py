from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_app.credentials.vault import Locked, Unavailable
from slopn_app.trouble import FAILED, KEYRING_LOCKED, Trouble
from support.fake_helper import FakeHelper
from support.front_end import FrontEnd, devices
from support.vault import FakeVault


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[FakeHelper]:
    """Nobody is paired with it yet."""
    with FakeHelper(tmp_path / "fresh") as running:
        yield running


def test_the_key_goes_into_the_keyring(helper: FakeHelper, home: Path) -> None:
    """Then nothing is said, and no file on the disk has it."""
    vault = FakeVault()
    front_end = FrontEnd(helper.path, vault=vault)
    assert front_end.ask()["type"] == "snapshot"
    assert front_end.said == []
    (secret,) = vault.secrets.values()
    assert "PRIVATE KEY" in secret
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    assert all(b"PRIVATE KEY" not in path.read_bytes() for path in files)
    assert FrontEnd(helper.path, vault=vault).ask()["type"] == "snapshot"


def test_a_key_in_a_file_is_announced_once(helper: FakeHelper, home: Path) -> None:
    """With its path and the reason; only its owner can read it."""
    front_end = FrontEnd(helper.path)
    front_end.ask()
    (file,) = home.rglob("*.key")
    assert front_end.said == [
        f"This program's key is kept in {file}, which only you can read: there is no keyring here."
    ]
    assert file.stat().st_mode & 0o7777 == 0o600
    assert all(path.stat().st_mode & 0o077 == 0 for path in (home / "slopn").rglob("*"))
    again = FrontEnd(helper.path)
    again.ask()
    assert again.said == []


def test_a_locked_keyring_at_a_screen_is_told(helper: FakeHelper) -> None:
    """Nothing is paired, nothing falls back to a file, no prompt is opened; the way out is named."""
    with pytest.raises(Trouble) as raised:
        FrontEnd(helper.path, vault=FakeVault(Locked()), graphical=True).ask()
    assert raised.value.kind == KEYRING_LOCKED
    assert "SLOPN_KEYRING=no slopn pair" in raised.value.lines[-1]
    assert devices(helper) == []


def test_a_keyring_that_is_locked_later_is_told(helper: FakeHelper) -> None:
    """The key is in it: wait for the user, don't pair anew."""
    vault = FakeVault()
    FrontEnd(helper.path, vault=vault, graphical=True).ask()
    vault.failure = Locked()
    with pytest.raises(Trouble, match="locked"):
        FrontEnd(helper.path, vault=vault, graphical=True).ask()
    vault.failure = None
    FrontEnd(helper.path, vault=vault, graphical=True).ask()
    assert devices(helper) == ["command line"]


def test_a_locked_keyring_without_a_screen_is_none(helper: FakeHelper) -> None:
    """Nobody could unlock it over ssh: the key goes into a file, and that is said."""
    front_end = FrontEnd(helper.path, vault=FakeVault(Locked()))
    assert front_end.ask()["type"] == "snapshot"
    assert "no screen to unlock it at" in front_end.said[0]


def test_a_key_out_of_reach_is_made_anew_in_a_file(helper: FakeHelper) -> None:
    """The keyring doesn't answer any more, as in a cron job: pair again, and say where the key is now."""
    vault = FakeVault()
    FrontEnd(helper.path, vault=vault).ask()
    vault.failure = Unavailable("the keyring doesn't answer")
    front_end = FrontEnd(helper.path, vault=vault)
    assert front_end.ask()["type"] == "snapshot"
    assert front_end.said[-1].endswith("the keyring doesn't answer.")
    vault.failure = None
    after = FrontEnd(helper.path, vault=vault)
    after.ask()
    assert after.said == []


def test_a_key_that_is_gone_is_made_anew(helper: FakeHelper) -> None:
    """Somebody has tidied up the keyring."""
    vault = FakeVault()
    FrontEnd(helper.path, vault=vault).ask()
    vault.secrets.clear()
    assert FrontEnd(helper.path, vault=vault).ask()["type"] == "snapshot"
    assert len(vault.secrets) == 1


def test_a_home_that_cannot_be_written_is_told_before_anything_is_paired(
    helper: FakeHelper, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the path, and how to name another one."""
    occupied = home / "slopn"
    occupied.write_text("")
    with pytest.raises(Trouble) as raised:
        FrontEnd(helper.path).ask()
    assert raised.value.kind == FAILED
    assert str(occupied) in raised.value.lines[0]
    assert "XDG_STATE_HOME" in raised.value.lines[1]
    assert devices(helper) == []
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "other"))
    assert FrontEnd(helper.path).ask()["type"] == "snapshot"
