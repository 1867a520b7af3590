from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slopn_app import assets, bootstrap
from slopn_app.desktop.parts import Desktop, Instance, Words
from slopn_app.tray import main
from support.desktop_fakes import FakeNotifications, FakeSurface


class _Held:
    """An `Instance`."""

    def __init__(self) -> None:
        self.closed = False

    def listen(self, called: Callable[[Words], None]) -> None:
        """Nobody calls."""

    def close(self) -> None:
        """It is remembered."""
        self.closed = True


class _Autostart:
    """An `Autostart` that is off."""

    def enabled(self) -> bool:
        """Off."""
        return False

    def enable(self, *, on: bool) -> None:
        """Nobody asks."""
        raise AssertionError(on)


def _desktop(held: Instance | None, surface: Callable[..., Any], launched: list[tuple[str, Words]]) -> Desktop:
    def launch(program: str, words: Words) -> None:
        launched.append((program, words))

    return Desktop(
        surface,
        lambda _name, _icon: FakeNotifications(),
        _Autostart(),
        lambda _name, _words: held,
        lambda _name, _words: False,
        launch,
    )


def test_help_and_wrong_words() -> None:
    """Told on stdout, or on stderr with exit status 2; no screen is needed for that."""
    program = Path(sys.executable).with_name("slopn-tray")
    helped = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert helped.stdout.startswith("usage: slopn-tray")
    wrong = subprocess.run([program, "--wrong"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_another_tray_serves() -> None:
    """There is nothing to do."""

    def nothing(*_: object) -> FakeSurface:
        raise AssertionError("no second icon")

    assert main.run(_desktop(None, nothing, []), ()) == 0


def test_no_screen_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """With exit status 1; the name is free again."""
    held = _Held()

    def nowhere(*_: object) -> FakeSurface:
        raise ImportError("Gtk could not be initialised")

    assert main.run(_desktop(held, nowhere, []), ()) == 1
    assert held.closed
    assert "Gtk could not be initialised" in capsys.readouterr().err


def test_it_serves_until_it_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And opens the window by the program of that name when none runs."""
    monkeypatch.setenv("SLOPN_SOCKET", str(tmp_path / "nobody"))
    launched: list[tuple[str, Words]] = []
    surface, held = FakeSurface(), _Held()
    chosen: list[int] = []
    show = surface.show

    def watched(face: Any) -> None:
        show(face)
        if not chosen:
            chosen.append(1)
            surface.choose("Open SloPN")

    monkeypatch.setattr(surface, "show", watched)
    assert main.run(_desktop(held, lambda *_: surface, launched), ("--login",)) == 0
    assert launched == [("slopn-window", ())]
    assert held.closed


def test_a_tray_that_cannot_begin_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """With exit status 1, so that the session starts another."""
    held, surface = _Held(), FakeSurface()

    def broken() -> Any:
        raise ZeroDivisionError

    def run(started: Callable[[], None]) -> None:
        with pytest.raises(ZeroDivisionError):
            started()

    monkeypatch.setattr(surface, "run", run)
    monkeypatch.setattr(bootstrap, "host", broken)
    assert main.run(_desktop(held, lambda *_: surface, []), ()) == 1
    assert surface.stopped
    assert held.closed


def test_the_first_icon_is_drawn() -> None:
    """The one that is up before anything is known."""
    assert (assets.folder("icons") / f"16/{main._FIRST}.svg").is_file()
