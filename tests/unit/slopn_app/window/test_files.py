"""Files that the user chose: regular ones, of bounded size; what is saved is theirs alone."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from slopn_app.window import files
from slopn_app.window.files import Unreadable


def test_files_are_read(tmp_path: Path) -> None:
    """By name and content, also through a link that the user made."""
    (tmp_path / "Zürich.conf").write_bytes(b"[Interface]\n")
    (tmp_path / "link.conf").symlink_to(tmp_path / "Zürich.conf")
    found = files.read([tmp_path / "Zürich.conf", tmp_path / "link.conf"])
    assert [(each["name"], base64.b64decode(each["data"])) for each in found] == [
        ("Zürich.conf", b"[Interface]\n"),
        ("link.conf", b"[Interface]\n"),
    ]


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder, a pipe that nobody writes to, a device without an end, nothing, a name that can't be."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero"), tmp_path / "none", Path("a\0b")):
        with pytest.raises(Unreadable):
            files.read([path])


def test_too_large(tmp_path: Path) -> None:
    """One byte more than there may be; the sentence says how much that is."""
    with (tmp_path / "x").open("wb") as file:
        file.truncate(files.LARGEST)
        assert len(files.read_one(tmp_path / "x")) == files.LARGEST
        file.truncate(files.LARGEST + 1)
    with pytest.raises(Unreadable, match="16 MB"):
        files.read_one(tmp_path / "x")


def test_too_many(tmp_path: Path) -> None:
    """All of them or none."""
    (tmp_path / "x").touch()
    with pytest.raises(Unreadable, match="too many"):
        files.read([tmp_path / "x"] * (files.MOST + 1))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Berlin.conf", "Berlin.conf"),
        ("../../etc/passwd", "passwd"),
        ("a\\b.conf", "b.conf"),
        ('a:b*c?"<>|\n\0.conf', "abc.conf"),
        ("..", "slopn.txt"),
        ("", "slopn.txt"),
        ("x" * 300, "x" * 150),
    ],
)
def test_proposed_names(name: str, kept: str) -> None:
    """A name, never a place."""
    assert files.plain_name(name) == kept
