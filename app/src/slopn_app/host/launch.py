"""Starting one of our own programs on Linux, by GLib, as a panel would: it isn't our child, and outlives us."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

Words = tuple[str, ...]


class Launcher:
    """`folder`: where the programs are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, program: str) -> Path:
        """The program's file."""
        return self._folder / program

    def launch(self, program: str, words: Words) -> None:
        """Start it. Raises `OSError`."""
        glib = import_module("gi.repository.GLib")
        path = str(self.path(program))
        environment = [f"{name}={value}" for name, value in outside(os.environ).items()]
        try:
            glib.spawn_async([path, *words], envp=environment)
        except glib.Error as error:
            raise OSError(f"{path} can't be started: {error.message}") from None


def outside(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what a frozen program has set for itself (PyInstaller: LD_LIBRARY_PATH_ORIG)."""
    found = dict(environ)
    before = found.pop("LD_LIBRARY_PATH_ORIG", None)
    if before is not None:
        found["LD_LIBRARY_PATH"] = before
    found.pop("PYSTRAY_BACKEND", None)
    return found
