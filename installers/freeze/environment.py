"""Runs before the program in every bundle: what PyInstaller's loader has put into the environment is not for our children.

Another program must find its own libraries, not ours, and another one of our programs starts as if a person had started it.
"""

from __future__ import annotations

import os
import sys


def _restore() -> None:
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    os.environ.pop("LD_LIBRARY_PATH", None)
    if before:
        os.environ["LD_LIBRARY_PATH"] = before
    for name in [name for name in os.environ if name.startswith("_PYI_")]:
        del os.environ[name]


_restore()
# Whoever was started by the PATH has a bare name here, and looks for the others beside it.
sys.argv[0] = sys.executable
