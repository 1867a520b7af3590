"""The tray at login on macOS: an agent of launchd's (launchd.plist(5)), which starts it again after a crash, too."""

from __future__ import annotations

import os
import plistlib
from pathlib import Path

LABEL = "org.slopn.tray"


class LaunchAgent:
    """An `Autostart`. `library`: the user's ~/Library; `program`: what to start."""

    def __init__(self, library: Path, program: str) -> None:
        self._file = library / f"LaunchAgents/{LABEL}.plist"
        self._program = program

    def enabled(self) -> bool:
        """As it is now."""
        return self._file.is_file()

    def enable(self, *, on: bool) -> None:
        """From the next login on. Raises `OSError`."""
        if not on:
            self._file.unlink(missing_ok=True)
            return
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._file.with_name(f".{self._file.name}.{os.urandom(6).hex()}")
        try:
            fresh.write_bytes(plistlib.dumps(agent(self._program)))
            fresh.replace(self._file)
        finally:
            fresh.unlink(missing_ok=True)


def agent(program: str) -> dict[str, object]:
    """The agent: at login, in graphical sessions alone, again unless it has ended by itself."""
    return {
        "Label": LABEL,
        "ProgramArguments": [program, "--login"],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "LimitLoadToSessionType": "Aqua",
        "ProcessType": "Interactive",
    }
