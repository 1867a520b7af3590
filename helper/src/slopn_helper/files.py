"""Files that are whole after a crash: written beside, synced, renamed, and the directory synced."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from secrets import token_hex

_TEMPORARY = ".tmp-"
_ADVICE = {
    errno.ENOSPC: "make room on that disk and try again",
    errno.EDQUOT: "make room on that disk and try again",
    errno.EROFS: "make that disk writable and try again",
    errno.EIO: "that disk is failing: save what is on it",
}


def write_file(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, readable by its owner alone. After a crash it is the old file or the new one, whole.

    Raises `OSError`; the old file is then as it was.
    """
    temporary = path.with_name(f"{_TEMPORARY}{token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def remove_file(path: Path) -> None:
    """Remove `path` so that it stays removed after a crash. A missing file is no error. Raises `OSError`."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    sync_directory(path.parent)


def make_directory(path: Path) -> None:
    """Make `path` and its parents, open to their owner alone; one that is there is left as it is. Raises `OSError`."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def sweep_temporary(directory: Path) -> None:
    """Remove what an interrupted `write_file` left behind."""
    for path in directory.glob(f"{_TEMPORARY}*"):
        path.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Make the names in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def why(error: OSError) -> str:
    """What the system says, and what the user can do about it."""
    said = error.strerror or str(error)
    advice = _ADVICE.get(error.errno or 0)
    return said if advice is None else f"{said}; {advice}"


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
