from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_app.cli import bundle
from slopn_app.cli.bundle import looks_recorded, recording, save
from slopn_app.cli.failure import Failure, Status

STEPS = b'{"n":1,"at":1.0,"v":"1","input":{"type":"start"}}\n{"n":2,"at":2.0,"input":{}}\n'
FILES = {"log.jsonl": '{"at": 1, "message": "x"}\n', "rules.txt": "ü\n", "recorder.jsonl": STEPS.decode()}


def refused(path: Path) -> Failure:
    """What reading it ends with."""
    with pytest.raises(Failure) as failed:
        recording(str(path))
    return failed.value


def test_what_is_saved_can_be_read(tmp_path: Path) -> None:
    """By its owner alone; all files are in it, and the recording is found among them."""
    path = tmp_path / "x.zip"
    save(str(path), FILES, 1_700_000_000.0)
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name).decode() for name in archive.namelist()} == FILES
    assert recording(str(path)) == STEPS


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Nor is a link followed."""
    path = tmp_path / "x.zip"
    path.write_text("mine")
    with pytest.raises(Failure, match="File exists"):
        save(str(path), FILES, 0.0)
    assert path.read_text() == "mine"


def test_a_full_disk_leaves_no_half_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with the reason, and the file is gone again."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    path = tmp_path / "x.zip"
    with pytest.raises(Failure, match="No space left"):
        save(str(path), FILES, 1e9)
    assert not path.exists()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_members_name_stays_inside(name: str) -> None:
    """Whatever the helper calls its files, unpacking them puts nothing elsewhere."""
    member = bundle._member(name)
    assert member
    assert member not in {".", ".."}
    assert not set(member) & set("/\\")


def test_a_recording_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file or from stdin."""
    path = tmp_path / "recorder.jsonl"
    path.write_bytes(STEPS)
    assert recording(str(path)) == STEPS
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(STEPS)))
    assert recording("-") == STEPS


def test_what_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, no bundle, a damaged one, one without a recording, one that is too large: status 2 and why."""
    path = tmp_path / "x.zip"
    assert "No such file" in refused(path).lines[0]
    path.write_bytes(b"hello")
    assert "neither a bundle" in refused(path).lines[0]
    save(str(tmp_path / "good.zip"), FILES, 1e9)
    path.write_bytes((tmp_path / "good.zip").read_bytes()[:-30])
    assert refused(path).status is Status.USAGE
    assert "is damaged" in refused(path).lines[0]
    path.unlink()
    save(str(path), {"rules.txt": "x", "log.jsonl": "{}\n"}, 1e9)
    assert "holds no recording" in refused(path).lines[0]
    monkeypatch.setattr(bundle, "MOST", 40)
    assert "larger than any" in refused(path).lines[0]


def test_an_archive_that_swells_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its members are read to the limit and no further."""
    save(str(tmp_path / "x.zip"), {"a.jsonl": STEPS.decode() + " " * 100_000}, 1e9)
    monkeypatch.setattr(bundle, "MOST", 10_000)
    assert "larger than any" in refused(tmp_path / "x.zip").lines[0]


def test_a_special_file_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """`/dev/zero` never ends."""
    monkeypatch.setattr(bundle, "MOST", 1 << 16)
    assert "larger than any" in refused(Path("/dev/zero")).lines[0]


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"at": 1}', b"\xff", b"[" * 100_000])
def test_only_steps_look_recorded(data: bytes) -> None:
    """Nothing else does, nor breaks the look."""
    assert not looks_recorded(data)
    assert looks_recorded(STEPS)
