from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from slopn_helper.host.lean import spare


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package whose `__init__` asks for something that isn't there, with two parts that need each other."""
    folder = tmp_path / "heavy_library"
    folder.mkdir()
    (folder / "__init__.py").write_text("import a_database_that_is_not_there\n", encoding="utf-8")
    (folder / "part.py").write_text("from heavy_library import other\nVALUE = other.VALUE + 1\n", encoding="utf-8")
    (folder / "other.py").write_text("VALUE = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("heavy_library", "heavy_library.part", "heavy_library.other"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return "heavy_library"


def test_a_part_comes_without_the_rest(library: str) -> None:
    """And finds its own neighbours; without sparing, the import fails."""
    with pytest.raises(ModuleNotFoundError, match="a_database"):
        __import__(library)
    spare(library)
    assert __import__("heavy_library.part", fromlist=["VALUE"]).VALUE == 2


def test_a_library_that_is_imported_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has all of it keeps it."""
    before = sys.modules["pytest"]
    spare("pytest")
    assert sys.modules["pytest"] is before
    monkeypatch.delitem(sys.modules, "no_such_library", raising=False)
    spare("no_such_library")
    assert "no_such_library" not in sys.modules


def test_the_helper_has_no_database() -> None:
    """All that the client's role imports, in a fresh interpreter."""
    heavy = "sqlite3", "pyroute2.ndb", "http.server", "multiprocessing.pool"
    code = f"import sys, slopn_helper.bootstrap; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
