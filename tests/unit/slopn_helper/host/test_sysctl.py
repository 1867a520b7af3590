from __future__ import annotations

from pathlib import Path

import pytest

from slopn_helper.host import sysctl
from slopn_helper.host.journal import SysctlWas


@pytest.fixture(autouse=True)
def proc_sys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in place of /proc/sys."""
    monkeypatch.setattr(sysctl, "ROOT", tmp_path)
    (tmp_path / "a").write_text("0\n")


def test_a_lower_value_is_raised_once_its_inverse_is_known() -> None:
    """Asking changes nothing; the change is made from the inverse, which the journal has by then."""
    change = sysctl.raised("a", 1)
    assert change == SysctlWas("a", "0", "1")
    assert sysctl.read("a") == "0"
    sysctl.write(change)
    assert sysctl.read("a") == "1"


@pytest.mark.parametrize("value", ["1", "2"])
def test_a_value_that_is_high_enough_is_left_alone(value: str) -> None:
    """An administrator's stricter choice is not ours to lower, nor to put back."""
    (sysctl.ROOT / "a").write_text(value)
    assert sysctl.raised("a", 1) is None


@pytest.mark.parametrize(("now", "after"), [("1", "0"), ("2", "2"), ("0", "0")])
def test_undo_respects_what_others_did_since(now: str, after: str) -> None:
    """Only a value that is still ours is put back."""
    (sysctl.ROOT / "a").write_text(now)
    sysctl.undo(SysctlWas("a", "0", "1"))
    sysctl.undo(SysctlWas("gone", "0", "1"))
    assert sysctl.read("a") == after
