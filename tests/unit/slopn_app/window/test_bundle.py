"""A problem report."""

from __future__ import annotations

import io
import zipfile

from slopn_app.window import bundle
from slopn_wire.diagnosis import Check, Diagnosis, Verdict


def test_what_is_shown_is_what_is_saved() -> None:
    """The helper's files, the checks in words, and which program this is."""
    check = Check("dns", Verdict.BROKEN, "No answer.", "Look for one.")
    files = bundle.contents(Diagnosis((check,), {"log.txt": "line\n"}))
    assert files["log.txt"] == "line\n"
    assert files["checks.txt"] == "broken: No answer.\n  Look for one.\n"
    assert "slopn window" in files["front-end.txt"]
    with zipfile.ZipFile(io.BytesIO(bundle.packed(files, 1e9))) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == files


def test_names_stay_in_their_folder() -> None:
    """Whatever a helper says."""
    with zipfile.ZipFile(io.BytesIO(bundle.packed({"../../x": "", "/y": "", "..": ""}, 1e9))) as archive:
        assert sorted(archive.namelist()) == ["unnamed", "x", "y"]
