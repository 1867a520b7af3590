from __future__ import annotations

import asyncio
from pathlib import Path

from slopn_helper.host import restore as module
from slopn_helper.host.inverses import RemoveWfpFilters
from slopn_helper.host.journal import Entry, FileWas, Journal, RemoveNftTable, RemoveRules, SysctlWas
from slopn_helper.host.restore import all_of, restore

ENTRIES = (RemoveNftTable("inet", "slopn"), SysctlWas("a", "0", "1"), RemoveRules(151))


class Recorder:
    """Notes what was undone, and fails where told to."""

    def __init__(self, *failing: Entry) -> None:
        self.failing = failing
        self.seen: list[Entry] = []

    async def __call__(self, entry: Entry) -> None:
        """Undo nothing."""
        self.seen.append(entry)
        if entry in self.failing:
            raise PermissionError("not today")


def test_the_newest_change_is_undone_first_and_forgotten(tmp_path: Path) -> None:
    """Replay runs backwards, and an empty journal is left behind, so that a second restore does nothing."""
    journal = Journal(tmp_path / "journal", "boot")
    journal.record(*ENTRIES)
    undo = Recorder()
    assert asyncio.run(restore(journal, undo=undo)) == []
    assert tuple(undo.seen) == tuple(reversed(ENTRIES))
    assert Journal(tmp_path / "journal", "boot").entries() == ()
    asyncio.run(restore(journal, undo=undo))
    assert len(undo.seen) == len(ENTRIES)


def test_a_failure_is_reported_and_does_not_stop_the_rest(tmp_path: Path) -> None:
    """What can't be undone stays in the journal for the next try; everything else is put back."""
    journal = Journal(tmp_path / "journal", "boot")
    journal.record(*ENTRIES)
    failed = asyncio.run(restore(journal, undo=Recorder(ENTRIES[1])))
    assert failed == ["sysctl a could not be put back: not today"]
    assert Journal(tmp_path / "journal", "boot").entries() == (ENTRIES[1],)


def test_kept_types_are_neither_undone_nor_forgotten(tmp_path: Path) -> None:
    """A helper that starts with the wish secured puts the host back but never opens the firewall on the way."""
    journal = Journal(tmp_path / "journal", "boot")
    journal.record(*ENTRIES)
    undo = Recorder()
    asyncio.run(restore(journal, keep=(RemoveNftTable,), undo=undo))
    assert ENTRIES[0] not in undo.seen
    assert journal.entries() == ENTRIES[:1]


def test_damage_of_the_journal_is_part_of_the_report(tmp_path: Path) -> None:
    """A person who runs restore is told that an inverse could not be read."""
    (tmp_path / "journal").write_bytes(b"garbage\n")
    failed = asyncio.run(restore(Journal(tmp_path / "journal", "boot"), undo=Recorder()))
    assert len(failed) == 1
    assert "can't be read" in failed[0]


def test_damage_of_the_journal_fails_no_undo_of_the_helper(tmp_path: Path) -> None:
    """It is told once, at the start: each disconnect would fail for ever otherwise."""
    (tmp_path / "journal").write_bytes(b"garbage\n")
    journal = Journal(tmp_path / "journal", "boot")
    journal.record(*ENTRIES)
    assert asyncio.run(restore(journal, damage=False, undo=Recorder())) == []
    assert journal.entries() == ()


def test_files_are_put_back_by_the_real_dispatch(tmp_path: Path) -> None:
    """Without a replacement each entry goes to its own mechanism."""
    target = tmp_path / "resolv.conf"
    target.write_bytes(b"ours")
    info = target.stat()
    asyncio.run(module.undo_entry(FileWas(str(target), b"theirs", 0o640, info.st_uid, info.st_gid)))
    assert target.read_bytes() == b"theirs"
    assert target.stat().st_mode & 0o777 == 0o640


def test_every_undo_is_tried() -> None:
    """A failure is told and stops nothing."""
    done = []

    async def good() -> None:
        done.append("good")

    async def bad() -> None:
        raise OSError("bus gone")

    assert asyncio.run(all_of(bad, good)) == ["bus gone"]
    assert done == ["good"]


def test_what_another_system_wrote_is_told_and_kept(tmp_path: Path) -> None:
    """Forgotten without being undone, it would be lost for the system that can."""
    journal = Journal(tmp_path / "journal", "boot")
    journal.record(RemoveWfpFilters("provider"))
    assert len(asyncio.run(restore(journal))) == 1
    assert journal.entries() == (RemoveWfpFilters("provider"),)
