from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from slopn_helper.recorder.segments import Segments


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the ring is, or will be."""
    return tmp_path / "recorder"


def line(number: int) -> bytes:
    """A line of about fifty bytes."""
    return b'{"n":%d,"at":1.0,"padding":"%s"}\n' % (number, b"x" * 20)


def fill(segments: Segments, numbers: range) -> None:
    """Append lines as the recorder does."""
    for number in numbers:
        if not segments.has_room(len(line(number))):
            segments.turn()
        segments.append(line(number))


def test_nothing_is_made_before_the_first_line(folder: Path) -> None:
    """And then it is open to its owner alone."""
    segments = Segments(folder)
    assert segments.read() == b""
    assert not folder.exists()
    segments.append(line(1))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def test_the_oldest_lines_make_room(folder: Path) -> None:
    """Two files, neither above its limit; what is there is the end of what was written."""
    segments = Segments(folder, limit=500)
    fill(segments, range(1, 101))
    assert sorted(path.name for path in folder.iterdir()) == ["a.jsonl", "b.jsonl"]
    assert all(path.stat().st_size <= 500 for path in folder.iterdir())
    kept = segments.read().splitlines(keepends=True)
    assert 10 <= len(kept) <= 20
    assert kept == [line(number) for number in range(101 - len(kept), 101)]


@pytest.mark.parametrize("written", range(1, 40, 3))
def test_another_process_goes_on_at_the_same_place(folder: Path, written: int) -> None:
    """Whichever file was written to last."""
    fill(Segments(folder, limit=500), range(1, written + 1))
    segments = Segments(folder, limit=500)
    assert segments.last == written
    before = segments.read()
    fill(segments, range(written + 1, written + 2))
    assert segments.read().endswith(before.splitlines(keepends=True)[-1] + line(written + 1))


@pytest.mark.parametrize("half", [1, 10, 40])
def test_a_line_that_a_killed_helper_did_not_finish_is_ended(folder: Path, half: int) -> None:
    """So that the next one stands for itself; nothing before it is lost."""
    fill(Segments(folder), range(1, 4))
    with (folder / "a.jsonl").open("ab") as file:
        file.write(line(4)[:half])
    segments = Segments(folder)
    segments.append(line(5))
    assert segments.read() == line(1) + line(2) + line(3) + line(4)[:half] + b"\n" + line(5)


def test_rubbish_in_both_files_is_no_error(folder: Path) -> None:
    """The ring begins anew behind it."""
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b"\x00\xff" * 50)
    (folder / "b.jsonl").write_bytes(b'{"n":99999999999999999999999999}\n')
    segments = Segments(folder)
    assert segments.last == 0
    segments.append(line(1))
    assert line(1) in segments.read()


def test_a_cut_off_elder_file_does_not_swallow_the_newer_ones_first_line(folder: Path) -> None:
    """They are read one behind the other, each from the beginning of a line."""
    fill(Segments(folder, limit=500), range(1, 15))
    (folder / "a.jsonl").write_bytes((folder / "a.jsonl").read_bytes()[:-5])
    assert line(14) in Segments(folder).read().splitlines(keepends=True)


def test_a_full_disk_leaves_no_half_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun is taken back, and the error is told."""
    segments = Segments(folder)
    segments.append(line(1))
    original, calls = os.write, 0

    def write(fd: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(fd, data[:7])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space"):
        segments.append(line(2))
    monkeypatch.undo()
    segments.append(line(3))
    assert segments.read() == line(1) + line(3)


def test_a_link_is_not_followed(folder: Path) -> None:
    """Another file can't be put in the ring's place."""
    folder.mkdir()
    (folder / "a.jsonl").symlink_to(folder / "other")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        Segments(folder).append(line(1))
    assert not (folder / "other").exists()
