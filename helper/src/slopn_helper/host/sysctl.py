"""Kernel settings below /proc/sys, changed and put back."""

from __future__ import annotations

from pathlib import Path

from slopn_helper.host.journal import SysctlWas

ROOT = Path("/proc/sys")


def raised(name: str, value: int) -> SysctlWas | None:
    """The inverse of making the setting at least `value`; None when it is that high already. Raises `OSError`."""
    was = read(name)
    return None if int(was) >= value else SysctlWas(name, was, str(value))


def write(change: SysctlWas) -> None:
    """Make the change whose inverse this is, after it was journalled.

    Raises `OSError`, for instance in a container whose /proc/sys is read-only.
    """
    (ROOT / change.name).write_text(change.ours, encoding="ascii")


def read(name: str) -> str:
    """The setting's value. Raises `OSError`."""
    return (ROOT / name).read_text(encoding="ascii").strip()


def undo(entry: SysctlWas) -> None:
    """Put the value back, unless somebody else has changed it since. Raises `OSError`."""
    path = ROOT / entry.name
    if path.exists() and read(entry.name) == entry.ours:
        path.write_text(entry.value, encoding="ascii")
