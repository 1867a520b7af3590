"""The tray at login on Linux: an entry in $XDG_CONFIG_HOME/autostart (Desktop Application Autostart Specification).

Where systemd runs the session, its user unit is wanted by the graphical session as well: it starts a tray that has crashed
again. Whichever comes second finds the first. Packages bring an entry for everybody, which a user's own of that name replaces.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

UNIT = "slopn-tray.service"
_WANTS = f"graphical-session.target.wants/{UNIT}"


class XdgAutostart:
    """An `Autostart`. `config`: $XDG_CONFIG_HOME; `program`: what to start; `units`: where packages put user units.

    `everybody`: where a package puts its entry for all users.
    """

    def __init__(
        self,
        config: Path,
        program: str,
        units: Path = Path("/usr/lib/systemd/user"),
        everybody: Path = Path("/etc/xdg/autostart/slopn-tray.desktop"),
    ) -> None:
        self._everybody = everybody
        self._entry = config / "autostart/slopn-tray.desktop"
        self._wants = config / "systemd/user" / _WANTS
        self._program = program
        self._unit = units / UNIT

    def enabled(self) -> bool:
        """As it is now."""
        try:
            lines = self._entry.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return self._everybody.is_file()
        return "Hidden=true" not in lines

    def enable(self, *, on: bool) -> None:
        """Raises `OSError`."""
        if on:
            self._write(entry(self._program, unit=self._unit.is_file()))
            if self._unit.is_file():
                self._wants.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    self._wants.symlink_to(self._unit)
            return
        self._wants.unlink(missing_ok=True)
        if self._everybody.is_file():
            self._write(entry(self._program, unit=False) + "Hidden=true\n")
        else:
            self._entry.unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        self._entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._entry.with_name(f".{self._entry.name}.{os.urandom(6).hex()}")
        try:
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._entry)
        finally:
            fresh.unlink(missing_ok=True)


def entry(program: str, *, unit: bool) -> str:
    """The .desktop file. `unit`: systemd, if it runs the session, makes nothing of this file: its unit does more."""
    return (
        "[Desktop Entry]\nType=Application\nName=SloPN\nComment=Shows whether you are protected\n"
        f"Exec={_quoted(program)} --login\nIcon=slopn\nTerminal=false\nNoDisplay=true\n"
        + ("X-systemd-skip=true\n" if unit else "")
    )


def _quoted(program: str) -> str:
    """An argument as the Desktop Entry Specification wants it in Exec: quoted, then escaped as any string is."""
    quoted = "".join(f"\\{letter}" if letter in '"`$\\' else letter for letter in program)
    return '"' + quoted.replace("\\", "\\\\").replace("%", "%%") + '"'
