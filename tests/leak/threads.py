"""Threads of another process that end, or stand still, without that process having a say (x86-64; ptrace(2))."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import Self

from support.until import until

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_LIBC.ptrace.restype = ctypes.c_long
_SEIZE, _INTERRUPT, _GETREGS, _SETREGS, _DETACH = 0x4206, 0x4207, 12, 13, 17
_WALL = 0x40000000
_SIZE = 27 * 8
_RAX, _RDI, _RIP, _ORIG_RAX = (8 * place for place in (10, 14, 16, 15))
_SYS_EXIT = 60
_SYSCALL = 2
"""Bytes of the instruction."""


def engine_threads(pid: int) -> list[int]:
    """Those of the engine in the helper's process; at least one."""
    found = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if _name(task).startswith("wg-")]
    assert found, "the helper has no thread of an engine"
    return sorted(found)


def end_thread(pid: int, thread: int) -> None:
    """Make `thread` call exit(2) for itself, from the system call that it waits in."""
    assert os.uname().machine == "x86_64", "this fault is written for x86-64"
    registers = until(lambda: _stopped_in_a_call(thread), 10.0, f"thread {thread} waits in a system call")
    assert registers is not None
    # The instruction of that call lies just before: run it again as another one.
    (rip,) = struct.unpack_from("Q", registers, _RIP)
    for place, value in ((_RIP, rip - _SYSCALL), (_RAX, _SYS_EXIT), (_RDI, 0), (_ORIG_RAX, 2**64 - 1)):
        struct.pack_into("Q", registers, place, value)
    _ptrace(_SETREGS, thread, registers)
    _ptrace(_DETACH, thread)
    until(lambda: not Path(f"/proc/{pid}/task/{thread}").exists(), 10.0, f"thread {thread} is gone")


class Held:
    """`threads` stand still while this is entered; use and leave it in one thread of the test."""

    def __init__(self, pid: int, threads: list[int]) -> None:
        self._pid = pid
        self._threads = threads

    def __enter__(self) -> Self:
        for thread in self._threads:
            _seize(thread)
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            _ptrace(_DETACH, thread)


def _stopped_in_a_call(thread: int) -> ctypes.Array[ctypes.c_char] | None:
    _seize(thread)
    registers = ctypes.create_string_buffer(_SIZE)
    _ptrace(_GETREGS, thread, registers)
    if struct.unpack_from("q", registers, _ORIG_RAX)[0] >= 0:
        return registers
    _ptrace(_DETACH, thread)
    return None


def _seize(thread: int) -> None:
    _ptrace(_SEIZE, thread)
    _ptrace(_INTERRUPT, thread)
    os.waitpid(thread, _WALL)


def _ptrace(request: int, thread: int, data: ctypes.Array[ctypes.c_char] | None = None) -> None:
    if _LIBC.ptrace(request, thread, None, data) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {request:#x} of {thread}: {os.strerror(number)}")


def _name(task: Path) -> str:
    try:
        return (task / "comm").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
