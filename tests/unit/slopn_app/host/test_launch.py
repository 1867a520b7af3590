from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slopn_app.host.launch import Launcher, outside
from support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:DynamicImporter:ImportWarning")  # gi's importer is of an older make


def test_a_program_is_started_with_its_words(tmp_path: Path) -> None:
    """As they are; nobody waits for it."""
    program = tmp_path / "slopn-window"
    program.write_text(
        f"#!{sys.executable}\nimport sys, pathlib\npathlib.Path({str(tmp_path / 'said')!r}).write_text(repr(sys.argv[1:]))\n"
    )
    program.chmod(0o755)
    Launcher(tmp_path).launch("slopn-window", ("slopn://show/logs", "a b'\"$x"))
    said = tmp_path / "said"
    until(lambda: said.exists() and said.read_text(), 20.0, "the program has run")
    assert said.read_text() == repr(["slopn://show/logs", "a b'\"$x"])


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(OSError, match="slopn-window can't be started"):
        Launcher(tmp_path).launch("slopn-window", ())


def test_what_a_frozen_program_set_for_itself_stays_inside() -> None:
    """The next program loads its own libraries."""
    inside = {"LD_LIBRARY_PATH": "/inside", "LD_LIBRARY_PATH_ORIG": "/usr/lib", "PYSTRAY_BACKEND": "x", "HOME": "/h"}
    assert outside(inside) == {"LD_LIBRARY_PATH": "/usr/lib", "HOME": "/h"}
    assert outside({"LD_LIBRARY_PATH": "/own"}) == {"LD_LIBRARY_PATH": "/own"}
