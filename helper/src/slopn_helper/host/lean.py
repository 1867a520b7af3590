"""Imports parts of a library without the rest of it."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec


def spare(package: str) -> None:
    """From now on `import package.part` imports that part, and not all that the package's own `__init__` names.

    Nothing happens where the package isn't installed, or is imported already. Its parts are then its only public names.
    """
    if package in sys.modules:
        return
    spec = find_spec(package)
    if spec is not None:
        sys.modules[package] = module_from_spec(spec)
