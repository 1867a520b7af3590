"""The command line's key in a real keyring, and in none: unlocked, locked, missing, silent, hanging, in plain text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.desktop import DesktopSession, Keyring
from support.fake_helper import FakeHelper

SLOPN = Path(sys.executable).parent / "slopn"
SCREEN = {"DISPLAY": ":0"}


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[FakeHelper]:
    """Nobody is paired with it yet; its socket is named to every program of the session."""
    with FakeHelper(tmp_path / "helper") as running:
        yield running


@contextmanager
def session(helper: FakeHelper, keyring: Keyring) -> Iterator[DesktopSession]:
    """The user's."""
    with DesktopSession(screen=False, keyring=keyring) as desktop:
        desktop.environ["SLOPN_SOCKET"] = helper.path
        yield desktop


def devices(helper: FakeHelper) -> list[str]:
    """The names of all that are paired."""
    return helper.run(lambda: [device.name for device in helper.hub.devices])


def files_with_a_key(desktop: DesktopSession) -> list[str]:
    """Names of the files in the user's home with a private key that anybody could use."""
    return [
        path.name for path in desktop.folder.rglob("*") if path.is_file() and b"BEGIN PRIVATE KEY" in path.read_bytes()
    ]


def test_unlocked(helper: FakeHelper) -> None:
    """The key is in the keyring and nowhere else, under a name that a person understands; nothing is said."""
    with session(helper, "gnome") as desktop:
        for _ in range(2):
            done = desktop.attempt(SLOPN, "status", environ=SCREEN)
            assert (done.returncode, done.stderr) == (0, "")
        assert files_with_a_key(desktop) == []
        shown = desktop.secrets()
        assert "label = SloPN: key of the command line" in shown
        assert shown.count("label") == 1
    assert devices(helper) == ["command line"]


def test_locked(helper: FakeHelper) -> None:
    """Nothing prompts, nothing hangs, nothing goes into a file: status 4 and what to do about it, before and after."""
    with session(helper, "gnome") as desktop:
        desktop.lock()
        first = desktop.attempt(SLOPN, "status", environ=SCREEN)
        assert first.returncode == 4
        assert "Your keyring is locked" in first.stderr
        assert "SLOPN_KEYRING=no slopn pair" in first.stderr
        assert devices(helper) == []
    with session(helper, "gnome") as desktop:
        assert desktop.attempt(SLOPN, "status", environ=SCREEN).returncode == 0
        desktop.lock()
        again = desktop.attempt(SLOPN, "status", environ=SCREEN)
        assert (again.returncode, again.stderr) == (first.returncode, first.stderr)
        assert files_with_a_key(desktop) == []
        chosen = desktop.attempt(SLOPN, "status", environ={**SCREEN, "SLOPN_KEYRING": "no"})
        assert chosen.returncode == 0
        assert chosen.stderr.endswith("SLOPN_KEYRING=no.\n")


@pytest.mark.parametrize(
    ("keyring", "reason"),
    [
        ("none", "there is no keyring here (ServiceUnknown)"),
        ("silent", "the keyring doesn't answer"),
        ("hanging", "the keyring doesn't answer"),
    ],
)
def test_missing(helper: FakeHelper, keyring: Keyring, reason: str) -> None:
    """The key goes into a file that only its user can read: said once, with the reason."""
    with session(helper, keyring) as desktop:
        done = desktop.attempt(SLOPN, "status", environ=SCREEN)
        assert done.returncode == 0
        (name,) = files_with_a_key(desktop)
        (line,) = done.stderr.splitlines()
        assert name in line
        assert line.endswith(f"which only you can read: {reason}.")
        again = desktop.attempt(SLOPN, "status", environ=SCREEN)
        assert (again.returncode, again.stderr) == (0, "")
    assert devices(helper) == ["command line"]


def test_locked_without_a_screen(helper: FakeHelper) -> None:
    """Nobody could unlock it over ssh."""
    with session(helper, "gnome") as desktop:
        desktop.lock()
        done = desktop.attempt(SLOPN, "status")
        assert done.returncode == 0
        assert "no screen to unlock it at" in done.stderr


def test_a_keyring_in_plain_text_is_not_used(tmp_path: Path, helper: FakeHelper) -> None:
    """One is installed, stated in the environment and in the library's own file: it is never even loaded."""
    with session(helper, "none") as desktop:
        package = tmp_path / "path/keyrings/alt"
        package.mkdir(parents=True)
        (package / "file.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'w')\n")
        config = desktop.folder / "config/python_keyring"
        config.mkdir()
        (config / "keyringrc.cfg").write_text("[backend]\ndefault-keyring=keyrings.alt.file.PlaintextKeyring\n")
        done = desktop.attempt(
            SLOPN,
            "status",
            environ={
                "PYTHONPATH": str(tmp_path / "path"),
                "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
            },
        )
        assert done.returncode == 0
        assert "there is no keyring here" in done.stderr
        assert not (tmp_path / "loaded").exists()


def test_a_tray_begun_before_the_keyring_is_unlocked(helper: FakeHelper) -> None:
    """It says that the keyring is locked, for as long as it is."""
    code = """
import asyncio, contextlib, os, sys
from slopn_app.client import HelperClient
async def main():
    async with HelperClient(os.environ["SLOPN_SOCKET"], "tray") as client:
        async with contextlib.aclosing(client.messages()) as messages:
            print(getattr(await anext(messages), "kind", "view"))
asyncio.run(main())
"""
    with session(helper, "gnome") as desktop:
        assert desktop.attempt(sys.executable, "-c", code, environ=SCREEN).stdout == "view\n"
        assert desktop.secrets().count("label = SloPN: key of the tray") == 1
        desktop.lock()
        done = desktop.attempt(sys.executable, "-c", code, environ=SCREEN)
        assert (done.returncode, done.stdout, done.stderr) == (0, "keyring_locked\n", "")
