from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path

import msgspec
import pytest

from slopn_helper.host import files
from slopn_helper.host.journal import FileWas


def make(path: Path, kind: str) -> None:
    """Put one of the things there that a host may have at /etc/resolv.conf."""
    match kind:
        case "file":
            path.write_bytes(b"nameserver 192.0.2.1\n")
            path.chmod(0o640)
        case "empty":
            path.write_bytes(b"")
        case "link":
            path.symlink_to("../run/stub")
        case "dangling":
            path.symlink_to("/nowhere/at/all")


@pytest.mark.parametrize("before", ["file", "empty", "link", "dangling", "nothing"])
@pytest.mark.parametrize("after", ["file", "empty", "link", "dangling", "nothing"])
def test_whatever_was_there_comes_back(tmp_path: Path, before: str, after: str) -> None:
    """Any of the five can be put back over any other, with mode, owner and link target, and leaves nothing beside it."""
    path = tmp_path / "etc" / "resolv.conf"
    path.parent.mkdir()
    make(path, before)
    was = files.snapshot(path)
    path.unlink(missing_ok=True)
    make(path, after)
    files.undo(was)
    assert files.snapshot(path) == was
    assert [p.name for p in path.parent.iterdir()] == ([] if before == "nothing" else ["resolv.conf"])


@pytest.mark.parametrize(
    ("now", "after"),
    [(b"# ours\nx", b"was"), (None, b"was"), (b"# theirs\n", b"# theirs\n"), (b"", b"")],
)
def test_somebody_elses_newer_file_is_left_alone(tmp_path: Path, now: bytes | None, after: bytes) -> None:
    """Only our own version, or a file that vanished, is replaced by what was there."""
    path = tmp_path / "resolv.conf"
    if now is not None:
        path.write_bytes(now)
    files.undo(FileWas(str(path), b"was", uid=os.getuid(), gid=os.getgid(), ours=b"# ours\n"))
    assert path.read_bytes() == after


def test_somebody_elses_newer_link_is_left_alone(tmp_path: Path) -> None:
    """A link was made by a resolver's package or an administrator: we only ever leave files."""
    path = tmp_path / "resolv.conf"
    path.symlink_to("stub")
    files.undo(FileWas(str(path), b"was", ours=b"# ours\n"))
    assert path.readlink() == Path("stub")


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    """What the link points to belongs to somebody else and keeps its content."""
    theirs = tmp_path / "stub"
    theirs.write_bytes(b"theirs")
    path = tmp_path / "resolv.conf"
    path.symlink_to(theirs)
    files.put(FileWas(str(path), b"ours", uid=os.getuid(), gid=os.getgid()))
    assert theirs.read_bytes() == b"theirs"
    assert path.read_bytes() == b"ours"
    assert not path.is_symlink()


def test_a_mount_point_is_written_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rename(2) says EBUSY the same inode gets the new content, shorter than the old one too."""
    path = tmp_path / "resolv.conf"
    path.write_bytes(b"a long line that must be gone")
    inode = path.stat().st_ino

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    files.put(FileWas(str(path), b"short", 0o644, os.getuid(), os.getgid()))
    assert path.read_bytes() == b"short"
    assert path.stat().st_ino == inode
    assert [p.name for p in tmp_path.iterdir()] == ["resolv.conf"]


def test_a_refused_rename_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error is raised with the host as it was."""
    path = tmp_path / "resolv.conf"
    path.write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        files.put(FileWas(str(path), b"new", uid=os.getuid(), gid=os.getgid()))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["resolv.conf"]


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A folder in that place can't be taken down, so nothing must be changed."""
    with pytest.raises(OSError, match="neither a file nor a link"):
        files.snapshot(tmp_path)


@pytest.mark.parametrize("moment", [(os, "ftruncate"), (Path, "chmod")], ids=lambda moment: moment[1])
@pytest.mark.parametrize("theirs", [b"nameserver 192.0.2.1\n", b"# much longer than ours is\nnameserver 192.0.2.1\n"])
def test_whoever_is_killed_while_writing_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: tuple[object, str], theirs: bytes
) -> None:
    """On the way there as on the way back: the next undo brings the original, with its mode."""
    path = tmp_path / "resolv.conf"
    path.write_bytes(theirs)
    path.chmod(0o640)
    before = files.snapshot(path)
    entry = msgspec.structs.replace(before, ours=b"# ours")
    ours = FileWas(str(path), b"# ours\nnameserver 10.9.0.1\n", 0o644, os.getuid(), os.getgid())

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", busy)
    for step in (partial(files.put, ours), partial(files.undo, entry)):
        with monkeypatch.context() as patch:
            patch.setattr(*moment, killed)
            with pytest.raises(KeyboardInterrupt):
                step()
        files.undo(entry)
        assert files.snapshot(path) == before
        files.put(ours)


def test_what_is_put_back_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal forgets it next: a power cut must not bring ours back then. Also what other programs have written."""
    path, seen = tmp_path / "resolv.conf", []
    replace, fsync = Path.replace, os.fsync

    def note_fsync(descriptor: int) -> None:
        fsync(descriptor)
        seen.append("name" if Path(f"/proc/self/fd/{descriptor}").readlink() == tmp_path else "content")

    def note_replace(source: Path, target: Path) -> Path:
        seen.append("replace")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    files.put(FileWas(str(path), b"new\n", uid=os.geteuid(), gid=os.getegid()))
    assert seen == ["content", "replace", "name"]
    seen.clear()
    files.settle(path)
    assert seen == ["content", "name"]
    seen.clear()
    files.put(FileWas(str(path)))
    assert seen == ["name"]
    assert not path.exists()
    files.settle(path)
    assert seen == ["name", "name"]
