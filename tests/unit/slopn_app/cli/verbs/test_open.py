from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slopn_app.cli.verbs.open import PROGRAM, beside
from support.slopn import Slopn, spawned


def program(folder: Path, name: str = PROGRAM) -> Path:
    """A window that says with what it was started, and how it would be found."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text('#!/bin/sh\necho "window $# $(basename "$0")"\n')
    path.chmod(0o755)
    return path


def test_the_window_takes_the_commands_place(tmp_path: Path) -> None:
    """It runs, without arguments; nothing of ours stays behind."""
    window = program(tmp_path / "bin")
    code = "import sys; sys.argv[0] = sys.argv.pop(1); from slopn_app.cli.main import main; main(sys.argv[1:]); print('no')"
    with spawned(str(window.parent / "slopn"), "open", code=code) as running:
        out, err = running.communicate(timeout=20)
    assert (running.returncode, out, err) == (0, f"window 0 {PROGRAM}\n", "")


def test_json_names_the_program(tmp_path: Path) -> None:
    """Before it starts."""
    window = program(tmp_path / "bin")
    code = "import sys; sys.argv[0] = sys.argv.pop(1); from slopn_app.cli.main import main; main(sys.argv[1:])"
    with spawned(str(window.parent / "slopn"), "open", "--json", code=code) as running:
        out, _ = running.communicate(timeout=20)
    assert out.splitlines()[0] == f'{{"program": "{window}"}}'


def test_none_is_installed(slopn: Slopn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Status 1, and what can be done without."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    outcome = slopn("open")
    assert outcome.status == 1
    assert "isn't installed" in outcome.err
    assert "slopn --help" in outcome.err


def test_one_that_does_not_start(slopn: Slopn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Status 1, with the reason."""
    program(tmp_path / "bin").write_bytes(b"\x00\x01")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    outcome = slopn("open")
    assert outcome.status == 1
    assert "can't be started: Exec format error" in outcome.err


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the command, then beside the interpreter; never on the PATH, nor in the folder one happens to be in."""
    here, there = program(tmp_path / "a"), program(tmp_path / "b")
    monkeypatch.setenv("PATH", str(here.parent))
    monkeypatch.chdir(tmp_path)
    assert beside(str(here.parent / "slopn"), str(there.parent / "python")) == str(here)
    assert beside("/usr/lib/slopn_app/__main__.py", str(there.parent / "python")) == str(there)
    assert beside(str(tmp_path / "slopn"), str(tmp_path / "python")) is None
    assert beside("", str(tmp_path / "python")) is None
    (tmp_path / PROGRAM).write_text("not executable")
    assert beside(str(tmp_path / "slopn"), str(tmp_path / "python")) is None
    windows = program(tmp_path / "c", f"{PROGRAM}.exe")
    assert beside(str(tmp_path / "c" / "slopn.exe"), "x") == str(windows)
