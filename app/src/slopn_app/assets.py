"""Where the files are that aren't code: icons, catalogues of words."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve()


def folder(name: str) -> Path:
    """`icons` or `locale`: beside the installed package, else in the source tree that this runs from."""
    installed = _HERE.with_name("assets") / name
    return installed if installed.is_dir() else _HERE.parents[3] / "assets" / name
