"""Starting one of our own programs on Windows, by the shell (ShellExecuteW)."""

from __future__ import annotations

import os
from pathlib import Path

Words = tuple[str, ...]


class WindowsLauncher:
    """`folder`: where the programs are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def launch(self, program: str, words: Words) -> None:
        """Start it. Raises `OSError`."""
        os.startfile(self._folder / f"{program}.exe", "open", " ".join(map(quoted, words)))  # noqa: S606 - our own program


def quoted(word: str) -> str:
    """As CommandLineToArgvW takes it apart again."""
    made, slashes = "", 0
    for letter in word:
        if letter == "\\":
            slashes += 1
            continue
        made += "\\" * (2 * slashes + 1 if letter == '"' else slashes) + letter
        slashes = 0
    return '"' + made + "\\" * (2 * slashes) + '"'
