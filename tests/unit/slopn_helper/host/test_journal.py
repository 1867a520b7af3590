from __future__ import annotations

import os
from pathlib import Path

import pytest

from slopn_helper.host.journal import (
    DomainDns,
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

EACH = (
    RemoveNftTable("inet", "slopn"),
    RemoveRules(151),
    RemoveRoutes(51820, 151),
    RemoveAddresses("slopn0"),
    SysctlWas("net/ipv4/conf/all/src_valid_mark", "0", "1"),
    FileWas("/etc/resolv.conf", b"nameserver 192.0.2.1\n", 0o644, 0, 0),
    NetworkManagerWas(("a.example",), (), {"*": DomainDns(("192.0.2.1",), ("rotate",))}, b"nameserver 192.0.2.1\n"),
    ResolvconfRecord("/sbin/resolvconf", "openresolv", "slopn0", ("10.9.0.1",)),
    ResolvedRevert("slopn0"),
)


def test_a_new_process_reads_what_was_recorded(tmp_path: Path) -> None:
    """Each kind of inverse survives the process, in order, content and all."""
    Journal(tmp_path / "journal", "boot").record(*EACH)
    assert Journal(tmp_path / "journal", "boot").entries() == EACH


def test_the_first_inverse_of_a_key_is_the_true_one(tmp_path: Path) -> None:
    """A second inverse of the same thing would restore our own doing and is dropped."""
    journal = Journal(tmp_path / "journal", "boot")
    journal.record(SysctlWas("a", "0", "1"))
    journal.record(SysctlWas("a", "1", "1"), RemoveRules(151))
    assert Journal(tmp_path / "journal", "boot").entries() == (SysctlWas("a", "0", "1"), RemoveRules(151))


def test_replace_makes_a_newer_inverse_the_true_one(tmp_path: Path) -> None:
    """When the host itself changed beneath us, what it has now is what must come back, in the old one's place."""
    journal = Journal(tmp_path / "journal", "boot")
    journal.record(FileWas("/etc/resolv.conf", b"old"), RemoveRules(151))
    journal.replace(FileWas("/etc/resolv.conf", b"new"))
    assert Journal(tmp_path / "journal", "boot").entries() == (FileWas("/etc/resolv.conf", b"new"), RemoveRules(151))


def test_forgotten_entries_are_gone_from_the_disk(tmp_path: Path) -> None:
    """What was undone is not undone again by a later process; unknown keys do no harm."""
    journal = Journal(tmp_path / "journal", "boot")
    journal.record(*EACH)
    journal.forget(*(e.key for e in EACH[:-1]), "never there")
    assert Journal(tmp_path / "journal", "boot").entries() == EACH[-1:]
    assert journal.find(EACH[-1].key) == EACH[-1]
    assert journal.find(EACH[0].key) is None


def test_only_what_is_on_disk_outlives_a_reboot(tmp_path: Path) -> None:
    """Rules, tables, sysctls and resolved's settings are gone after a reboot: undoing them would hit somebody else."""
    Journal(tmp_path / "journal", "boot 1").record(*EACH)
    assert Journal(tmp_path / "journal", "boot 2").entries() == EACH[5:8]
    assert Journal(tmp_path / "journal", "boot 1").entries() == EACH[5:8]


@pytest.mark.parametrize("garbage", [b"\0\0\0\0", b"{}", b'{"boot":"boot","entry":{"type":"future","x":1}}', b"\xff["])
def test_an_unreadable_line_is_reported_and_the_rest_kept(tmp_path: Path, garbage: bytes) -> None:
    """Damage in the middle costs that inverse alone, is named by line, and the whole file is kept for a person."""
    path = tmp_path / "journal"
    Journal(path, "boot").record(*EACH[:2])
    first, second, _ = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([first, garbage, second, b""]))
    journal = Journal(path, "boot")
    assert journal.entries() == EACH[:2]
    assert len(journal.damage()) == 1
    assert f"{path}:2:" in journal.damage()[0]
    assert garbage in path.with_name("journal.damaged").read_bytes()
    assert not Journal(path, "boot").damage()


def test_an_entry_that_could_not_be_written_is_not_half_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk refuses, `record` raises, so that the change isn't made, and the next one starts on a clean line."""
    path = tmp_path / "journal"
    journal = Journal(path, "boot")
    journal.record(RemoveRules(151))

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            journal.record(ResolvedRevert("slopn0"))
    assert journal.entries() == (RemoveRules(151),)
    journal.record(RemoveAddresses("slopn0"))
    assert Journal(path, "boot").entries() == (RemoveRules(151), RemoveAddresses("slopn0"))


def test_a_leftover_of_a_crashed_rewrite_is_overwritten(tmp_path: Path) -> None:
    """A crash between writing the new file and renaming it leaves the old one in force and doesn't block the next."""
    path = tmp_path / "journal"
    journal = Journal(path, "boot")
    journal.record(*EACH[:2])
    (tmp_path / ".journal.new").write_bytes(b"half")
    survivor = Journal(path, "boot")
    survivor.forget(EACH[0].key)
    assert Journal(path, "boot").entries() == (EACH[1],)


def test_the_file_is_for_root_alone(tmp_path: Path) -> None:
    """The journal tells what the host's files were: nobody else reads or writes it."""
    path = tmp_path / "state" / "journal"
    journal = Journal(path, "boot")
    journal.record(*EACH)
    assert path.stat().st_mode & 0o777 == 0o600
    journal.forget(EACH[0].key)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_cannot_be_written_stops_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there can be undone; new inverses are refused, and begin on a clean line once there is room again."""
    path = tmp_path / "journal"
    Journal(path, "boot").record(RemoveRules(151))
    path.write_bytes(b"rubbish\n" + path.read_bytes() + b'{"boot": "bo')
    opened = os.open

    def full(where: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise OSError(28, "No space left on device")
        return opened(where, flags, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        patch.setattr(Path, "write_bytes", lambda *_: full(path, os.O_CREAT))
        journal = Journal(path, "boot")
        assert journal.entries() == (RemoveRules(151),)
        with pytest.raises(OSError, match="No space"):
            journal.record(ResolvedRevert("slopn0"))
    journal.record(RemoveAddresses("slopn0"))
    assert Journal(path, "boot").entries() == (RemoveRules(151), RemoveAddresses("slopn0"))


def test_a_new_journal_on_a_disk_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is empty, and takes nothing."""

    def full(*_: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", full)
    journal = Journal(tmp_path / "journal", "boot")
    assert journal.entries() == ()
    with pytest.raises(OSError, match="Read-only"):
        journal.record(RemoveRules(151))
