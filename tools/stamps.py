"""Remember what a step was done for, so that it is done again only when that changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from tools.console import ROOT, VENV

STAMPS = VENV / "stamps"
BUILT = {".so", ".pyc"}


def digest(paths: Iterable[Path], *words: str) -> str:
    """SHA-256 over names and contents of `paths` (folders: every file below but build outputs) and over `words`."""
    total = hashlib.sha256()
    for word in words:
        total.update(word.encode() + b"\0")
    for path in sorted(_files(paths)):
        total.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def is_done(name: str, key: str) -> bool:
    """Whether step `name` was finished for exactly this key."""
    stamp = STAMPS / name
    return stamp.is_file() and stamp.read_text() == key


def mark_done(name: str, key: str) -> None:
    """Keep that step `name` is finished for this key; the stamps go away with the virtual environment."""
    STAMPS.mkdir(parents=True, exist_ok=True)
    (STAMPS / name).write_text(key)


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from (p for p in path.rglob("*") if p.is_file() and p.suffix not in BUILT)
        elif path.is_file():
            yield path
