"""A process that gets no more memory, in a cgroup of its own, of either version."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_LIMIT = 0


@contextlib.contextmanager
def memory_taken_away(pid: int) -> Iterator[Callable[[], bool]]:
    """From here on whatever `pid` allocates is too much, and the kernel kills it. Yields whether it still lives.

    Raises `RuntimeError` where no cgroup can be made.
    """
    group = _made()
    try:
        (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
        for name, value in (
            ("memory.swap.max", "0"),
            ("memory.max", str(_LIMIT)),
            ("memory.limit_in_bytes", str(_LIMIT)),
            ("memory.memsw.limit_in_bytes", str(_LIMIT)),
        ):
            with contextlib.suppress(OSError):
                (group / name).write_text(value, encoding="ascii")
        yield lambda: pid in _members(group)
    finally:
        with contextlib.suppress(OSError):
            for left in _members(group):
                (_ROOT / "cgroup.procs").write_text(str(left), encoding="ascii")
        with contextlib.suppress(OSError):
            group.rmdir()


def _made() -> Path:
    for top, limit in ((_ROOT / "memory", "memory.limit_in_bytes"), (_ROOT, "memory.max")):
        group = top / f"slopn-{os.getpid()}-{secrets.token_hex(3)}-leak"
        with contextlib.suppress(OSError):
            group.mkdir()
            if (group / limit).exists():
                return group
            group.rmdir()
    raise RuntimeError("no cgroup with a limit of memory can be made here: run this as root of the machine")


def _members(group: Path) -> set[int]:
    return {int(line) for line in (group / "cgroup.procs").read_text(encoding="ascii").split()}
