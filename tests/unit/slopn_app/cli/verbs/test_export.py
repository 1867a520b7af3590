from __future__ import annotations

import stat
from pathlib import Path

from slopn_wire.commands import ExportProfile
from slopn_wire.events import ErrorKind, Exported, Refused
from support.fake_helper import FakeHelper
from support.slopn import Slopn

TEXT = "[Interface]\nPrivateKey = ü\n"


def test_the_text_is_printed_as_it_is(helper: FakeHelper, slopn: Slopn) -> None:
    """On stdout, ready for a file."""
    helper.answer(ExportProfile, Exported(TEXT))
    assert slopn("export", "berlin") == (0, TEXT, "")
    assert slopn("export", "berlin", "--json").json == {"name": "berlin", "text": TEXT}
    assert helper.commands == [ExportProfile("berlin")] * 2


def test_a_file_is_the_users_alone(helper: FakeHelper, slopn: Slopn, tmp_path: Path) -> None:
    """0600 from the first byte; stdout stays free of the key."""
    helper.answer(ExportProfile, Exported(TEXT))
    path = tmp_path / "out.conf"
    assert slopn("export", "berlin", "-o", str(path)) == (0, "", "")
    assert path.read_text() == TEXT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_file_is_overwritten(helper: FakeHelper, slopn: Slopn, tmp_path: Path) -> None:
    """Nor is a link followed: status 1, the file as it was."""
    helper.answer(ExportProfile, Exported(TEXT))
    path, link = tmp_path / "out.conf", tmp_path / "link"
    path.write_text("mine")
    link.symlink_to(tmp_path / "elsewhere")
    for target in (path, link):
        outcome = slopn("export", "berlin", "--output", str(target), "--json")
        assert outcome.status == 1
        assert outcome.err == f"slopn: {target}: File exists\n"
        assert "ü" not in outcome.out
    assert path.read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


def test_an_unknown_profile(helper: FakeHelper, slopn: Slopn) -> None:
    """Status 2."""
    helper.answer(ExportProfile, Refused(ErrorKind.INVALID, "There is no profile 'x'."))
    assert slopn("export", "x").status == 2
