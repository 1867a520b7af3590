"""Kernel settings below /proc/sys, changed through the journal."""

from __future__ import annotations

from pathlib import Path

from slopn_helper.host.journal import Journal, SysctlWas

ROOT = Path("/proc/sys")


def raise_to(journal: Journal, name: str, value: int) -> None:
    """Make the setting at least `value`; one that is higher already is left alone.

    Raises `OSError`, for instance in a container whose /proc/sys is read-only.
    """
    was = read(name)
    if int(was) >= value:
        return
    journal.record(SysctlWas(name, was, str(value)))
    (ROOT / name).write_text(str(value), encoding="ascii")


def read(name: str) -> str:
    """The setting's value. Raises `OSError`."""
    return (ROOT / name).read_text(encoding="ascii").strip()


def undo(entry: SysctlWas) -> None:
    """Put the value back, unless somebody else has changed it since. Raises `OSError`."""
    path = ROOT / entry.name
    if path.exists() and read(entry.name) == entry.ours:
        path.write_text(entry.value, encoding="ascii")
