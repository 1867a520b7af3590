"""What a power cut leaves of the journal: every length of it, and what was synced when."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slopn_helper.host.journal import (
    DomainDns,
    Entry,
    FileWas,
    Journal,
    NetworkManagerWas,
    RemoveAddresses,
    RemoveNftTable,
    RemoveRoutes,
    RemoveRules,
    ResolvconfRecord,
    ResolvedRevert,
    SysctlWas,
)

EACH: tuple[Entry, ...] = (
    RemoveNftTable("inet", "slopn"),
    RemoveRules(151),
    RemoveRoutes(51820, 151),
    RemoveAddresses("slopn0"),
    SysctlWas("net/ipv4/conf/all/src_valid_mark", "0", "1"),
    FileWas("/etc/resolv.conf", b"# \xff\n\nnameserver 192.0.2.1\n", ours=b"# ours\n"),
    NetworkManagerWas(("a.example",), (), {"*": DomainDns(("192.0.2.1",), ("rotate",))}, b"nameserver 192.0.2.1\n"),
    ResolvconfRecord("/sbin/resolvconf", "openresolv", "slopn0", ("10.9.0.1",)),
    ResolvedRevert("slopn0"),
)
LATER = RemoveRoutes(254, 151)


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synced, in order: `name`, or how many lines the file had."""
    seen: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}")
        seen.append("name" if path.readlink() == tmp_path else f"{len(path.read_bytes().splitlines())} lines")

    monkeypatch.setattr(os, "fsync", note)
    return seen


@pytest.mark.parametrize("tail", [b"", b"\0" * 40], ids=["cut off", "zeros after it"])
def test_every_length_of_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tail: bytes) -> None:
    """A line that isn't whole was being written: its change had not been made. It is no damage, and the rest is there."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # thousands of them
    path = tmp_path / "journal"
    Journal(path, "boot").record(*EACH)
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length] + tail)
        lines = whole[:length].count(b"\n")
        journal = Journal(path, "boot")
        assert journal.entries() == EACH[:lines], length
        assert not journal.damage(), length
        journal.record(LATER)
        assert Journal(path, "boot").entries() == (*EACH[:lines], LATER), length


def test_an_inverse_is_on_the_disk_when_record_returns(tmp_path: Path, synced: list[str]) -> None:
    """The file's name first, at the start; then each line before `record` returns."""
    journal = Journal(tmp_path / "journal", "boot")
    assert synced == ["0 lines", "name"]
    journal.record(*EACH[:2])
    journal.record(EACH[2])
    assert synced[2:] == ["2 lines", "3 lines"]


def test_a_file_whose_name_may_be_lost_is_not_relied_on(tmp_path: Path, synced: list[str]) -> None:
    """`forget` leaves the new file's name to the disk; the next line under it makes sure of the name."""
    journal = Journal(tmp_path / "journal", "boot")
    journal.record(*EACH[:2])
    synced.clear()
    journal.forget(EACH[0].key)
    assert synced == ["1 lines"]
    journal.record(LATER)
    assert synced[1:] == ["2 lines", "name"]
    journal.record(EACH[3])
    assert synced[3:] == ["3 lines"]


def test_a_name_that_cannot_be_synced_is_no_inverse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the change must not be made, and nothing of it is left in the file."""
    path = tmp_path / "journal"
    journal = Journal(path, "boot")
    journal.record(*EACH[:2])
    journal.forget(EACH[0].key)
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink() == tmp_path:
            raise OSError(5, os.strerror(5))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="Input/output error"):
            journal.record(LATER)
    assert Journal(path, "boot").entries() == (EACH[1],)
    journal.record(LATER)
    assert Journal(path, "boot").entries() == (EACH[1], LATER)


def test_what_is_undone_is_forgotten_on_a_full_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was put back: nobody is told that it wasn't. The file has it until it can be written, and no litter beside it."""
    path = tmp_path / "journal"
    journal = Journal(path, "boot")
    journal.record(*EACH[:2])

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        journal.forget(EACH[0].key)
        assert journal.entries() == (EACH[1],)
        with pytest.raises(OSError, match="No space left on device; make room") as refused:
            journal.record(EACH[0])
        assert str(path) in str(refused.value)
        assert Journal(path, "boot").entries() == EACH[:2]
        assert [found.name for found in tmp_path.iterdir()] == ["journal"]
    journal.record(LATER)
    assert Journal(path, "boot").entries() == (EACH[1], LATER)
