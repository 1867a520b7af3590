"""The end of a helper that doesn't end: told to stop and stuck, it says where it stands and dies hard.

Nothing is undone here. What the journal holds is undone by the next start, and the kernel keeps the block.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import threading
from collections.abc import Awaitable, Iterable
from types import FrameType
from typing import Any

WITHIN = 18.0
"""Seconds from the order to end: more than the teardown may take (`driver.STOP_WITHIN`), less than `restore` waits
before it kills (`undo.TERM_WITHIN`), and than the unit's TimeoutStopSec."""
HUNG = 70
"""The exit status then: EX_SOFTWARE of sysexits(3)."""
STDERR = 2
_TELLING = 2.0
"""Seconds for the words: nobody may be reading them."""


def start(loop: asyncio.AbstractEventLoop, within: float = WITHIN, *, descriptor: int = STDERR) -> None:
    """End this process in `within` seconds by exit status `HUNG`, unless it has ended by itself.

    Before that, the stacks of all threads and what each task of `loop` waits for are written to `descriptor`. It works
    while the loop is blocked, while threads are waited for at the interpreter's end, and where a C function never
    gives the interpreter back (then without the tasks, and with status 1).
    """
    told = threading.Event()
    for work in (lambda: _tell(loop, within, descriptor, told), lambda: _end(within, told)):
        threading.Thread(target=work, name="watchdog", daemon=True).start()
    faulthandler.dump_traceback_later(within + 2 * _TELLING, exit=True, file=descriptor)


def tasks_of(loop: asyncio.AbstractEventLoop) -> list[str]:
    """A line for each task of the loop and one for each step of what it waits for, outermost first."""
    lines = []
    for task in sorted(asyncio.all_tasks(loop), key=lambda task: (len(task.get_name()), task.get_name())):
        lines.append(f"Task {task.get_name()}{', told to end' * bool(task.cancelling())}:")
        lines += (f"  {step}" for step in await_chain(task.get_coro()))
        if isinstance(other := getattr(task, "_fut_waiter", None), asyncio.Task):
            lines.append(f"  the task {other.get_name()}")
    return lines


def await_chain(awaitable: Awaitable[Any] | Iterable[Any] | None) -> list[str]:
    """Where a coroutine stands, where the one it awaits stands, and so on; ends with the thing that isn't a coroutine."""
    chain = []
    at: Any = awaitable
    while at is not None:
        frame = _first(at, "cr_frame", "gi_frame", "ag_frame")
        if not isinstance(frame, FrameType):
            chain.append(f"a {type(at).__name__}")
            break
        chain.append(f'File "{frame.f_code.co_filename}", line {frame.f_lineno} in {frame.f_code.co_qualname}')
        at = _first(at, "cr_await", "gi_yieldfrom", "ag_await")
    return chain


def _tell(loop: asyncio.AbstractEventLoop, within: float, descriptor: int, told: threading.Event) -> None:
    if told.wait(within):
        return
    with contextlib.suppress(Exception):
        _write(descriptor, f"The helper didn't end within {within:g} s. This is where it stands:\n")
        faulthandler.dump_traceback(descriptor, all_threads=True)
        _write(descriptor, "".join(f"{line}\n" for line in tasks_of(loop)))
        _write(descriptor, "It ends now. What it has not undone is in the journal; a block of traffic stays.\n")
    told.set()


def _end(within: float, told: threading.Event) -> None:
    told.wait(within + _TELLING)
    os._exit(HUNG)


def _write(descriptor: int, text: str) -> None:
    data = text.encode()
    while data:
        data = data[os.write(descriptor, data) :]


def _first(thing: object, *names: str) -> object:
    return next((getattr(thing, name) for name in names if hasattr(thing, name)), None)
