from __future__ import annotations

from pathlib import Path

import pytest

from slopn_helper.host import sysctl
from slopn_helper.host.journal import Journal, SysctlWas


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    """A journal, with a folder in place of /proc/sys."""
    monkeypatch.setattr(sysctl, "ROOT", tmp_path / "sys")
    (tmp_path / "sys").mkdir()
    (tmp_path / "sys" / "a").write_text("0\n")
    return Journal(tmp_path / "journal", "boot")


def test_a_lower_value_is_raised_with_its_inverse_first(journal: Journal) -> None:
    """The old value is in the journal, the new one in the kernel; a second call changes neither."""
    sysctl.raise_to(journal, "a", 1)
    sysctl.raise_to(journal, "a", 1)
    assert sysctl.read("a") == "1"
    assert journal.entries() == (SysctlWas("a", "0", "1"),)


def test_a_value_that_is_high_enough_is_left_alone(journal: Journal) -> None:
    """An administrator's stricter choice is not ours to lower, nor to put back."""
    (sysctl.ROOT / "a").write_text("2\n")
    sysctl.raise_to(journal, "a", 1)
    assert sysctl.read("a") == "2"
    assert journal.entries() == ()


@pytest.mark.parametrize(("now", "after"), [("1", "0"), ("2", "2"), ("0", "0")])
def test_undo_respects_what_others_did_since(journal: Journal, now: str, after: str) -> None:
    """Only a value that is still ours is put back."""
    (sysctl.ROOT / "a").write_text(now)
    sysctl.undo(SysctlWas("a", "0", "1"))
    sysctl.undo(SysctlWas("gone", "0", "1"))
    assert sysctl.read("a") == after
    assert journal.entries() == ()
