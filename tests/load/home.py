"""A home directory of the measurement's own: nobody's keys are touched."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
_VARIABLES = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")


@contextlib.contextmanager
def home() -> Iterator[Path]:
    """A folder that everybody may enter, removed in the end; what this process starts has its state and settings in it."""
    folder = Path(tempfile.mkdtemp(prefix=f"slopn-{os.getpid()}-{secrets.token_hex(3)}-load-"))
    folder.chmod(0o755)
    before = {name: os.environ.get(name) for name in _VARIABLES}
    own = folder / "home"
    try:
        own.mkdir(mode=0o700)
        os.environ.update(environment(own))
        yield folder
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


def environment(own: Path) -> dict[str, str]:
    """Variables by which programs find `own` instead of the real home."""
    return {
        "HOME": str(own),
        "XDG_STATE_HOME": str(own / "state"),
        "XDG_CONFIG_HOME": str(own / "config"),
        "XDG_RUNTIME_DIR": str(own / "run"),
    }
