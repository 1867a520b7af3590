"""A file is put there whole, and for its user alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from slopn_app import atomic


def test_what_is_saved_is_for_the_user_alone(tmp_path: Path) -> None:
    """Also in place of a file that everybody could read, and nothing else is left there."""
    target = tmp_path / "here/a.conf"
    target.parent.mkdir()
    target.write_text("old")
    target.chmod(0o666)
    atomic.write(target, b"PrivateKey = x")
    assert target.read_bytes() == b"PrivateKey = x"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    """Neither half a file nor a lost one."""
    (tmp_path / "here/folder/x").mkdir(parents=True)
    with pytest.raises(OSError):
        atomic.write(tmp_path / "here/folder", b"x")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["folder"]
