"""The tray at login on Windows: a value of HKEY_CURRENT_USER's Run key."""

from __future__ import annotations

import contextlib
import winreg

KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"
NAME = "SloPN"


class RunKey:
    """An `Autostart`. `program`: what to start."""

    def __init__(self, program: str) -> None:
        self._program = program

    def enabled(self) -> bool:
        """As it is now."""
        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, KEY) as key:
                winreg.QueryValueEx(key, NAME)
        except FileNotFoundError:
            return False
        return True

    def enable(self, *, on: bool) -> None:
        """Raises `OSError`."""
        with winreg.CreateKeyEx(winreg.HKEY_CURRENT_USER, KEY, 0, winreg.KEY_SET_VALUE) as key:
            if on:
                winreg.SetValueEx(key, NAME, 0, winreg.REG_SZ, f'"{self._program}" --login')
                return
            with contextlib.suppress(FileNotFoundError):
                winreg.DeleteValue(key, NAME)
