"""The built page's files, read once: what isn't among them isn't served."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from slopn_app.window import policy

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
MOST = 4 << 20
"""Bytes of one file; the whole page is far less."""


class Missing(Exception):
    """The page isn't there."""


class Part(NamedTuple):
    """One file of the page."""

    kind: str
    """MIME type."""
    data: bytes


class Pages:
    """The page below `folder`. Raises `Missing`."""

    def __init__(self, folder: Path) -> None:
        self._parts: dict[str, Part] = {}
        for path in sorted(folder.rglob("*")):
            kind = _TYPES.get(path.suffix)
            if kind is not None and path.is_file() and path.stat().st_size <= MOST:
                self._parts[path.relative_to(folder).as_posix()] = Part(kind, path.read_bytes())
        if "index.html" not in self._parts:
            raise Missing(f"The window's page isn't in {folder}. In a checkout, `make ui` and `make setup` build it.")

    def answer(self, uri: str) -> Part | None:
        """What to show for this address; None: nothing."""
        name = policy.part(uri)
        return None if name is None else self._parts.get(name)


def folder() -> Path:
    """Where the page is: beside this module once it is installed, else where the checkout builds it."""
    here = Path(__file__).resolve()
    installed = here.parent / "page"
    return installed if installed.is_dir() else here.parents[3] / "ui" / "dist"
