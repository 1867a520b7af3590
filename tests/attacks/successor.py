"""A process with a number that another one had before (clone3(2), `set_tid`)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator

_CLONE3 = 435
_LIBC = ctypes.CDLL(None, use_errno=True)


class _CloneArgs(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("flags", "pidfd", "child_tid", "parent_tid", "exit_signal")),
        *((name, ctypes.c_uint64) for name in ("stack", "stack_size", "tls", "set_tid", "set_tid_size", "cgroup")),
    )


@contextlib.contextmanager
def run_as_pid(pid: int, *argv: str) -> Iterator[None]:
    """Run a program under a number that is free. Raises `OSError`. It is killed in the end."""
    wanted = (ctypes.c_int * 1)(pid)
    arguments = _CloneArgs(exit_signal=signal.SIGCHLD, set_tid=ctypes.addressof(wanted), set_tid_size=1)
    made = _LIBC.syscall(_CLONE3, ctypes.byref(arguments), ctypes.sizeof(arguments))
    if made == 0:
        os.execv(argv[0], argv)  # noqa: S606 - there is no shell to be had
    if made < 0:
        raise OSError(ctypes.get_errno(), f"no process gets the number {pid}")
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
