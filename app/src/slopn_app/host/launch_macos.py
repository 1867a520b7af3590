"""Starting one of our own programs on macOS: launchd does it, so that it is no child of ours (posix_spawn(2), open(1))."""

from __future__ import annotations

import os
import threading
from pathlib import Path

Words = tuple[str, ...]
_OPEN = "/usr/bin/open"


class MacLauncher:
    """`folder`: where the program bundles are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def launch(self, program: str, words: Words) -> None:
        """Start it. Raises `OSError`."""
        arguments = (_OPEN, "-a", str(self._folder / f"{program}.app"), "--args", *words)
        child = os.posix_spawn(_OPEN, arguments, dict(os.environ))
        threading.Thread(target=os.waitpid, args=(child, 0), daemon=True).start()
