from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.logs.file import RotatedFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log goes."""
    return tmp_path / "helper.log"


def names(path: Path) -> list[str]:
    """The log's files."""
    return sorted(found.name for found in path.parent.iterdir())


def test_only_its_owner_reads_it(path: Path) -> None:
    """Also where an earlier file was open to others."""
    path.touch(0o644)
    RotatedFile(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_files_are_bounded_in_size_and_number(path: Path) -> None:
    """The newest lines are in the file itself, elder ones in those with numbers, and the rest is gone."""
    file = RotatedFile(path, limit=100, count=3)
    for number in range(100):
        file.write([f"line {number:04}\n"])
    assert names(path) == ["helper.log", "helper.log.1", "helper.log.2"]
    assert path.read_text().endswith("line 0099\n")
    texts = [path.with_name(name).read_text() for name in ("helper.log.2", "helper.log.1", "helper.log")]
    assert all(len(text) <= 100 for text in texts)
    kept = "".join(texts).splitlines()
    assert kept == [f"line {number:04}" for number in range(100 - len(kept), 100)]
    assert all(found.stat().st_mode & 0o777 == 0o600 for found in path.parent.iterdir())


def test_a_batch_may_fill_several_files(path: Path) -> None:
    """No line is cut in two, and one that is larger than a file has one of its own."""
    RotatedFile(path, limit=20, count=4).write(["a" * 15 + "\n", "b" * 50 + "\n", "c\n"])
    assert [path.with_name(name).read_text()[0] for name in names(path)] == ["c", "b", "a"]


def test_one_file_is_enough_for_who_wants_one(path: Path) -> None:
    """It begins anew when it is full."""
    file = RotatedFile(path, limit=20, count=1)
    for text in ("a" * 15, "b" * 15):
        file.write([text + "\n"])
    assert names(path) == ["helper.log"]
    assert path.read_text() == "b" * 15 + "\n"


def test_a_killed_helpers_last_line_is_ended(path: Path) -> None:
    """So that what comes next is a line of its own."""
    path.write_text('{"number":1}\n{"numb')
    file = RotatedFile(path)
    file.write(["next\n"])
    assert path.read_text() == '{"number":1}\n{"numb\nnext\n'


def test_a_link_is_not_followed(path: Path) -> None:
    """Whoever may write into the directory can't have another file written to."""
    path.symlink_to(path.with_name("other"))
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        RotatedFile(path)
    assert not path.with_name("other").exists()


def test_a_directory_that_is_not_there_is_an_error(path: Path) -> None:
    """The start says so instead of logging nowhere."""
    with pytest.raises(FileNotFoundError):
        RotatedFile(path.parent / "none/helper.log")


def test_a_full_disk_leaves_whole_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was cut off is taken back; when there is room again, lines go on."""
    file = RotatedFile(path)
    file.write(["before\n"])
    original, room = os.write, 9

    def write(fd: int, data: Any) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = original(fd, bytes(data)[:room])
        room -= done
        return done

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space"):
        file.write(["whole\n", "half of it\n"])
    monkeypatch.undo()
    assert path.read_text() == "before\nwhole\n"
    file.write(["after\n"])
    assert path.read_text() == "before\nwhole\nafter\n"


def test_a_device_is_never_rotated(tmp_path: Path) -> None:
    """`--log-file /dev/null` is a way of having none."""
    file = RotatedFile(Path(os.devnull), limit=10, count=2)
    for _ in range(5):
        file.write(["more than ten bytes\n"])
    file.close()
    assert Path(os.devnull).is_char_device()
    assert list(tmp_path.iterdir()) == []
