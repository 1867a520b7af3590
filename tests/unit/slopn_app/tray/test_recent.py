from __future__ import annotations

from pathlib import Path

from slopn_app.host.posix import PosixFiles
from slopn_app.tray.recent import MOST, Recent


def _files(folder: Path) -> PosixFiles:
    return PosixFiles({"XDG_STATE_HOME": str(folder)}, ".local/state/slopn")


def test_the_last_one_used_comes_first(tmp_path: Path) -> None:
    """Also for the next tray."""
    recent = Recent(_files(tmp_path))
    for name in ("a", "b", "a", "a", "c"):
        recent.used(name)
    assert recent.names == ("c", "a", "b")
    assert Recent(_files(tmp_path)).names == ("c", "a", "b")


def test_it_stays_short(tmp_path: Path) -> None:
    """Nobody looks further back."""
    recent = Recent(_files(tmp_path))
    for number in range(3 * MOST):
        recent.used(str(number))
    assert len(recent.names) == MOST


def test_what_cannot_be_read_or_kept_is_forgotten(tmp_path: Path) -> None:
    """And harms nobody."""
    (tmp_path / "slopn").mkdir(mode=0o700)
    (tmp_path / "slopn/recent.json").write_text("{")
    (tmp_path / "slopn/recent.json").chmod(0o600)
    assert Recent(_files(tmp_path)).names == ()
    recent = Recent(_files(Path("/proc/nowhere")))
    recent.used("a")
    assert recent.names == ("a",)
