from __future__ import annotations

import subprocess
from pathlib import Path

from slopn_app.host.autostart import UNIT, XdgAutostart, entry


def test_on_and_off(tmp_path: Path) -> None:
    """Twice does no harm; what a desktop's own settings have hidden is off."""
    autostart = XdgAutostart(tmp_path, "/usr/bin/slopn-tray", tmp_path / "units", tmp_path / "none")
    assert not autostart.enabled()
    for _ in range(2):
        autostart.enable(on=True)
        assert autostart.enabled()
    file = tmp_path / "autostart/slopn-tray.desktop"
    file.write_text(file.read_text() + "Hidden=true\n")
    assert not autostart.enabled()
    for _ in range(2):
        autostart.enable(on=False)
        assert not autostart.enabled()
    assert list((tmp_path / "autostart").iterdir()) == []


def test_systemd_starts_it_where_there_is_its_unit(tmp_path: Path) -> None:
    """As `systemctl --user enable` would have it, and then not by the entry as well."""
    units = tmp_path / "units"
    units.mkdir()
    (units / UNIT).touch()
    autostart = XdgAutostart(tmp_path / "config", "/usr/bin/slopn-tray", units, tmp_path / "none")
    wants = tmp_path / f"config/systemd/user/graphical-session.target.wants/{UNIT}"
    for _ in range(2):
        autostart.enable(on=True)
        assert wants.readlink() == units / UNIT
    assert "X-systemd-skip=true" in (tmp_path / "config/autostart/slopn-tray.desktop").read_text().splitlines()
    autostart.enable(on=False)
    assert not wants.is_symlink()


def test_the_entry_is_a_desktops(tmp_path: Path) -> None:
    """By desktop-file-validate's judgement, whatever the path."""
    for number, program in enumerate(("/usr/bin/slopn-tray", '/opt/a "b" $c/100%/slopn-tray')):
        file = tmp_path / f"{number}.desktop"
        file.write_text(entry(program, unit=bool(number)))
        judged = subprocess.run(["desktop-file-validate", file], capture_output=True, text=True, check=False)
        assert (judged.returncode, judged.stdout) == (0, "")


def test_a_packages_entry_for_everybody_holds_until_a_user_says_otherwise(tmp_path: Path) -> None:
    """A user's own entry of that name replaces it: hidden, it is none."""
    everybody = tmp_path / "xdg/slopn-tray.desktop"
    everybody.parent.mkdir()
    everybody.touch()
    autostart = XdgAutostart(tmp_path / "config", "/usr/bin/slopn-tray", tmp_path / "units", everybody)
    assert autostart.enabled()
    autostart.enable(on=False)
    assert not autostart.enabled()
    assert everybody.is_file()
    autostart.enable(on=True)
    assert autostart.enabled()
