"""Files of this user's that are whole at every moment, and for nobody else."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Put it there in one step, for this user alone. Raises `OSError`.

    What the user agreed to replace is replaced, its rights with it: a private key must not land in a file for everybody.
    """
    fresh = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
