from __future__ import annotations

import os
from pathlib import Path

import pytest

from slopn_helper import files


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that matter for durability, in order, as `fsync file`, `fsync directory`, `replace`, `unlink`."""
    seen: list[str] = []
    fsync, replace, unlink = os.fsync, os.replace, os.unlink

    def note_fsync(descriptor: int) -> None:
        seen.append("fsync directory" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "fsync file")
        fsync(descriptor)

    def note_replace(source: Path, target: Path) -> None:
        seen.append("replace")
        replace(source, target)

    def note_unlink(path: Path) -> None:
        seen.append("unlink")
        unlink(path)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    monkeypatch.setattr(os, "unlink", note_unlink)
    return seen


def test_a_file_is_on_disk_before_it_takes_its_name(tmp_path: Path, calls: list[str]) -> None:
    """After a power cut there is the old file or the new one, never an empty one: content, name, directory."""
    files.write_file(tmp_path / "a", b"new")
    assert calls == ["fsync file", "replace", "fsync directory"]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Whatever the umask, mode 0600; a file that was more open becomes so."""
    (tmp_path / "a").touch(mode=0o666)
    before = os.umask(0)
    try:
        files.write_file(tmp_path / "a", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, the old file stands and no temporary one is left."""
    files.write_file(tmp_path / "a", b"old")

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_file(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    """A link at the file's place is exchanged for a file; what it led to is untouched."""
    (tmp_path / "elsewhere").write_bytes(b"theirs")
    (tmp_path / "a").symlink_to("elsewhere")
    files.write_file(tmp_path / "a", b"new")
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"theirs"


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """write(2) may take less than it is given."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:3])))
    files.write_file(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_removed_file_stays_removed(tmp_path: Path, calls: list[str]) -> None:
    """The directory is synced after the removal; a file that isn't there is no error and no sync."""
    (tmp_path / "a").touch()
    files.remove_file(tmp_path / "a")
    assert calls == ["unlink", "fsync directory"]
    files.remove_file(tmp_path / "a")
    assert calls == ["unlink", "fsync directory", "unlink"]


def test_directories_are_made_for_their_owner(tmp_path: Path, calls: list[str]) -> None:
    """Each missing directory is made with mode 0700 and its parent synced; what is there stays as it is."""
    tmp_path.chmod(0o755)
    files.make_directory(tmp_path / "a/b")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("", "a", "a/b")] == [0o755, 0o700, 0o700]
    assert calls == ["fsync directory", "fsync directory"]


def test_the_sweep_takes_temporary_files_alone(tmp_path: Path) -> None:
    """What an interrupted write left is removed, nothing else."""
    for name in (".tmp-0123", "a.json", ".keep"):
        (tmp_path / name).touch()
    files.sweep_temporary(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".keep", "a.json"]


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (28, "No space left on device; make room on that disk and try again"),
        (30, "Read-only file system; make that disk writable and try again"),
        (5, "Input/output error; that disk is failing: save what is on it"),
        (13, "Permission denied"),
    ],
)
def test_the_user_is_told_what_to_do_about_a_bad_disk(number: int, says: str) -> None:
    """The system's words, and then ours where there is something to say."""
    assert files.why(OSError(number, os.strerror(number), "/x")) == says
    assert files.why(OSError("odd")) == "odd"
