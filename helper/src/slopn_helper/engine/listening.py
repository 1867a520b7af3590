"""How an event loop hears of the engine's events: by its descriptor where there is one, else by a thread that waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Protocol

LOOK_EVERY = 1.0
"""Seconds after which a thread that waits looks whether anybody still wants to know."""

Unlisten = Callable[[], None]
"""Nothing is called any more. More than once does no harm."""


class Telling(Protocol):
    """What is asked of the engine."""

    def fileno(self) -> int:
        """Readable while there are events. Not on Windows."""
        ...

    def wait(self, timeout: float) -> bool:
        """Whether there are events, waiting for one for so many seconds at most."""
        ...


Listen = Callable[[Telling, Callable[[], None]], Unlisten]
"""One of the functions below."""


def by_descriptor(engine: Telling, heard: Callable[[], None]) -> Unlisten:
    """Call `heard`, which takes the events away, in the running loop whenever there are some."""
    loop = asyncio.get_running_loop()
    number = engine.fileno()
    loop.add_reader(number, heard)

    def unlisten() -> None:
        loop.remove_reader(number)

    return unlisten


def by_thread(engine: Telling, heard: Callable[[], None]) -> Unlisten:
    """As `by_descriptor`, for loops that can't wait for a descriptor of the engine's (Windows' proactor)."""
    loop = asyncio.get_running_loop()
    ended = threading.Event()
    taken = threading.Semaphore(0)

    def take() -> None:
        try:
            if not ended.is_set():
                heard()
        finally:
            taken.release()

    def wait() -> None:
        # A loop that is closed has nobody who wants to know.
        with contextlib.suppress(RuntimeError):
            while not ended.is_set():
                if engine.wait(LOOK_EVERY) and not ended.is_set():
                    loop.call_soon_threadsafe(take)
                    # Events that aren't taken yet would be told of over and over.
                    taken.acquire()

    def unlisten() -> None:
        ended.set()
        taken.release()

    threading.Thread(target=wait, name="engine-events", daemon=True).start()
    return unlisten
