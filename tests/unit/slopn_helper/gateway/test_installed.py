from __future__ import annotations

import stat
from pathlib import Path

import pytest

from slopn_helper.gateway.installed import Installed, InstallError, Put


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Where it is noted."""
    return tmp_path / "state/installed.json"


def test_a_file_is_made_brought_up_to_date_and_taken_away(notes: Path, tmp_path: Path) -> None:
    """Each by a program run of its own."""
    path = tmp_path / "etc/file.conf"
    assert Installed(notes).put(path, "one\n") is Put.MADE
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert Installed(notes).put(path, "one\n") is Put.SAME
    assert Installed(notes).put(path, "two\n") is Put.MADE
    assert path.read_text() == "two\n"
    assert Installed(notes).paths() == (path,)
    assert Installed(notes).take(path)
    assert not path.exists()
    assert Installed(notes).paths() == ()
    assert not Installed(notes).take(path)


def test_what_somebody_else_has_written_stays(notes: Path, tmp_path: Path) -> None:
    """Whether it was there before or ours was changed."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.write_text("mine\n")
    installed = Installed(notes)
    assert installed.put(theirs, "new\n") is Put.FOREIGN
    installed.put(ours, "one\n")
    ours.write_text("changed\n")
    assert installed.put(ours, "two\n") is Put.FOREIGN
    assert not installed.take(theirs)
    assert not installed.take(ours)
    assert (theirs.read_text(), ours.read_text()) == ("mine\n", "changed\n")


def test_it_is_noted_before_it_is_done(notes: Path, tmp_path: Path) -> None:
    """A crash between both leaves a note too many, and either content counts as ours."""
    path = tmp_path / "file"
    Installed(notes).put(path, "one\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "chmod", lambda *_: (_ for _ in ()).throw(OSError(5, "crash")))
        with pytest.raises(InstallError, match="crash"):
            Installed(notes).put(path, "two\n")
    for text in ("one\n", "two\n"):
        path.write_text(text)
        assert Installed(notes).put(path, "three\n") is Put.MADE
        Installed(notes).put(path, "one\n")
        path.write_text("one\n")
        Installed(notes).put(path, "two\n")


def test_damaged_notes_are_named(notes: Path) -> None:
    """Nothing is guessed."""
    notes.parent.mkdir()
    notes.write_text("{")
    with pytest.raises(InstallError, match="damaged"):
        Installed(notes)


def test_a_place_that_cannot_be_written_is_a_sentence(notes: Path, tmp_path: Path) -> None:
    """With the file's name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InstallError, match="below"):
        Installed(notes).put(tmp_path / "file/below", "x")
