"""What the page has the window do beside the helper: files, clipboard, preferences."""

from __future__ import annotations

import base64
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_app import preferences
from slopn_app.preferences import Preferences
from slopn_wire.commands import Diagnose
from slopn_wire.diagnosis import Diagnosis
from support.window_world import World, up


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A new one."""
    world = World(tmp_path)
    yield world
    world.session.close()


@pytest.fixture
def seen(world: World) -> World:
    """One whose page listens to a helper that is up."""
    return up(world)


def test_preferences_are_kept(seen: World) -> None:
    """What holds now is answered; the start at login is the system's, and asked for when it changes."""
    assert seen.local("preferences")["welcomed"] is False
    wanted = {"start_at_login": True, "welcomed": True, "favourites": ["Zürich"], "appearance": "dark"}
    assert seen.local("set_preferences", preferences=wanted)["favourites"] == ["Zürich"]
    seen.local("set_preferences", preferences=wanted)
    assert seen.at_login == [True]
    stored = preferences.load(seen.store).preferences
    assert stored == Preferences(start_at_login=True, welcomed=True, favourites=("Zürich",), appearance="dark")


def test_preferences_that_others_change(seen: World) -> None:
    """The page hears of it."""
    preferences.change(seen.store, preferences=Preferences(language="de"))
    seen.session.preferences_changed()
    seen.shell.run()
    assert seen.shell.pushed[0]["preferences"]["language"] == "de"


def test_files_that_the_user_picks(seen: World, tmp_path: Path) -> None:
    """Their names and bytes; none if they changed their mind; what can't be read says why."""
    (tmp_path / "a.conf").write_bytes(b"\xffx")
    seen.shell.chosen = (tmp_path / "a.conf",)
    assert seen.local("pick_files") == {"files": [{"name": "a.conf", "data": base64.b64encode(b"\xffx").decode()}]}
    seen.shell.chosen = ()
    assert seen.local("pick_files") == {"files": []}
    os.mkfifo(tmp_path / "pipe")
    seen.shell.chosen = (tmp_path / "pipe",)
    assert seen.call("local", {"do": "pick_files"})["error"]["text"].startswith("pipe ")


def test_a_text_is_saved(seen: World, tmp_path: Path) -> None:
    """Where the user says, for them alone; a proposal is a name and no place."""
    assert seen.local("save", name="../log.txt", text="Für\n") == {"saved": None}
    seen.shell.place_for = tmp_path / "log.txt"
    assert seen.local("save", name="log.txt", text="Für\n") == {"saved": str(tmp_path / "log.txt")}
    assert (tmp_path / "log.txt").read_text() == "Für\n"
    assert (tmp_path / "log.txt").stat().st_mode & 0o777 == 0o600
    assert seen.shell.proposed == ["log.txt", "log.txt"]
    seen.shell.place_for = tmp_path / "none/log.txt"
    assert "No such file" in seen.call("local", {"do": "save", "name": "a", "text": ""})["error"]["text"]


def test_a_report_is_saved_as_it_was_previewed(seen: World, tmp_path: Path) -> None:
    """And not at all before it was."""
    seen.shell.place_for = tmp_path / "report.zip"
    assert seen.call("local", {"do": "save_bundle"})["error"]["code"] == "invalid"
    seen.watcher.answer = Diagnosis((), {"log.txt": "then"})
    shown = seen.local("bundle_preview")
    assert isinstance(seen.watcher.asked[-1], Diagnose)
    seen.watcher.answer = Diagnosis((), {"log.txt": "later"})
    seen.local("save_bundle")
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == shown["files"]
    assert shown["files"]["log.txt"] == "then"


def test_the_clipboard(seen: World) -> None:
    """It is the desktop's."""
    seen.local("copy", text="Für")
    assert seen.shell.copied == ["Für"]
