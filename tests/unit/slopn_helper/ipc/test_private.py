from __future__ import annotations

import os
from pathlib import Path

import pytest

from slopn_helper.ipc.private import Exposed, open_directory, read_private, set_aside, write_private
from slopn_helper.secrets import SecretError

ME = os.geteuid()


def test_a_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """0700, and so it is found again."""
    assert open_directory(tmp_path / "d", ME)
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
    assert open_directory(tmp_path / "d", ME)


def test_an_open_directory_is_closed_and_told(tmp_path: Path) -> None:
    """What lay in it may have been read: the caller must know, once."""
    (tmp_path / "d").mkdir(mode=0o750)
    assert not open_directory(tmp_path / "d", ME)
    assert open_directory(tmp_path / "d", ME)


@pytest.mark.parametrize("kind", ["link", "file", "dangling link"])
def test_what_is_no_directory_is_refused(tmp_path: Path, kind: str) -> None:
    """A link could lead to where others may write."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    if kind == "file":
        (tmp_path / "d").touch()
    else:
        (tmp_path / "d").symlink_to("elsewhere" if kind == "link" else "nowhere")
    with pytest.raises(SecretError):
        open_directory(tmp_path / "d", ME)


def test_a_private_file_comes_back(tmp_path: Path) -> None:
    """What was written is read; None where nothing was."""
    assert read_private(tmp_path / "f", ME) is None
    write_private(tmp_path / "f", b"content")
    assert read_private(tmp_path / "f", ME) == b"content"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o610])
def test_a_file_that_others_could_reach_is_not_read(tmp_path: Path, mode: int) -> None:
    """Any right of group or others is too much."""
    write_private(tmp_path / "f", b"content")
    (tmp_path / "f").chmod(mode)
    with pytest.raises(Exposed, match="others could read f"):
        read_private(tmp_path / "f", ME)


def test_a_file_of_somebody_elses_is_not_read(tmp_path: Path) -> None:
    """Its owner could have put it there."""
    write_private(tmp_path / "f", b"content")
    with pytest.raises(Exposed, match=f"belonged to user {ME}"):
        read_private(tmp_path / "f", ME + 1)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Not even to a private file."""
    write_private(tmp_path / "f", b"content")
    (tmp_path / "link").symlink_to("f")
    with pytest.raises(Exposed, match="no plain file"):
        read_private(tmp_path / "link", ME)


def test_each_damaged_file_is_kept_under_a_name_of_its_own(tmp_path: Path) -> None:
    """Also a link that leads nowhere, and never over another one."""
    (tmp_path / "f.corrupt-1").symlink_to("nowhere")
    write_private(tmp_path / "f", b"content")
    assert set_aside(tmp_path / "f") == "f.corrupt-2"
    assert (tmp_path / "f.corrupt-2").read_bytes() == b"content"
    assert not (tmp_path / "f").exists()


def test_what_can_not_be_set_aside_is_told(tmp_path: Path) -> None:
    """The sentence names the file."""
    with pytest.raises(SecretError, match="f is damaged and could not be set aside"):
        set_aside(tmp_path / "f")
