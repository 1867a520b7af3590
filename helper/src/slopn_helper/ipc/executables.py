"""Whether an executable is one of our own front ends, as installed: nobody but its owner can have changed it.

It is the program that is known by this, not who drives it: whoever may run a program may also meddle with it
(ptrace(2), LD_PRELOAD). So this spares a number to repeat, and is no guard against other programs of the same user.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

FRONT_ENDS = frozenset({"slopn", "slopn-tray", "slopn-window"})
"""Names of our front ends, without `.exe`. An interpreter under the same prefix runs anybody's code: it is none."""


def is_ours(executable: str | None, prefix: Path | None, pid: int, owner: int = 0) -> bool:
    """Does process `pid` run a front end under `prefix` that only `owner` can have changed? `executable` is its path.

    File and folders, up to the root, must be the owner's and writable by nobody else, and none may be a link.
    """
    if executable is None or prefix is None:
        return False
    path = Path(executable)
    if not path.is_absolute() or ".." in path.parts or path.name.removesuffix(".exe") not in FRONT_ENDS:
        return False
    if path == prefix or not path.is_relative_to(prefix):
        return False
    try:
        kept = _kept(path, stat.S_IFREG, owner) and all(_kept(each, stat.S_IFDIR, owner) for each in path.parents)
        return kept and _runs(pid, path)
    except (OSError, ValueError):
        return False


def _kept(path: Path, kind: int, owner: int) -> bool:
    status = path.lstat()
    return stat.S_IFMT(status.st_mode) == kind and status.st_uid in {0, owner} and not status.st_mode & 0o022


def _runs(pid: int, path: Path) -> bool:
    """Where there is a /proc: whether the process runs the very file that we see at `path`.

    In a mount namespace of its own (mount_namespaces(7)) anybody may have another one there, under the same name.
    """
    if not Path("/proc/self/exe").exists():
        return True
    return os.path.samestat(Path(f"/proc/{pid}/exe").stat(), path.lstat())
