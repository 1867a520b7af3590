"""What is known of the helper, handed to any number of readers in this process: each change, or the latest alone."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from enum import StrEnum

from msgspec import Struct

from slopn_app import trouble
from slopn_wire.events import Event, Snapshot

MOST_WAITING = 1024
"""Messages kept for a reader that is busy; then it gets the whole state instead."""


class ProblemKind(StrEnum):
    """Why there is no conversation with the helper."""

    UNREACHABLE = trouble.UNREACHABLE
    """It is gone, or was never there."""
    TIMED_OUT = trouble.TIMED_OUT
    LIMITED = trouble.LIMITED
    """It has too much to do for this user."""
    NOT_PERMITTED = trouble.NOT_PERMITTED
    """Not for this user."""
    INCOMPATIBLE = trouble.INCOMPATIBLE
    """It is of another major version, or something else."""
    NUMBER_NEEDED = "number_needed"
    """The user must repeat the number that the helper shows (`HelperClient.give_number`), before `Problem.expires`."""
    NOT_PAIRED = trouble.NOT_PAIRED
    """It doesn't know this front end; `HelperClient.retry` begins a pairing."""
    KEYRING_LOCKED = trouble.KEYRING_LOCKED
    """The user must unlock it first."""
    FAILED = trouble.FAILED


class Problem(Struct, frozen=True, tag="problem"):
    """There is no conversation with the helper; what was known of it holds no more."""

    kind: ProblemKind
    lines: tuple[str, ...]
    """What happened, what it means, what to do."""
    retry_in: float | None = None
    """Seconds to the next try; None: not before somebody asks for it."""
    expires: float | None = None
    """Unix time, for NUMBER_NEEDED."""


class Feed:
    """The latest, and its readers. For one event loop."""

    def __init__(self) -> None:
        self.view: Snapshot | None = None
        """The helper's state; None while there is a problem, and before the first answer."""
        self.problem: Problem | None = None
        self._queues: list[deque[Snapshot | Event | Problem]] = []
        self._changed = asyncio.Event()

    def publish(self, view: Snapshot | None, message: Snapshot | Event | Problem) -> None:
        """`message` has made `view` what is known now."""
        self.view = view
        self.problem = message if isinstance(message, Problem) else None
        for queue in self._queues:
            if len(queue) >= MOST_WAITING:
                queue.clear()
                queue.append(message if view is None else view)
            else:
                queue.append(message)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def changed(self) -> None:
        """Wait for the next message."""
        await self._changed.wait()

    async def messages(self) -> AsyncGenerator[Snapshot | Event | Problem]:
        """What is known now, then each message."""
        queue: deque[Snapshot | Event | Problem] = deque()
        latest = self._latest()
        if latest is not None:
            queue.append(latest)
        self._queues.append(queue)
        try:
            while True:
                while queue:
                    yield queue.popleft()
                await self._changed.wait()
        finally:
            # By identity: equal queues are different readers'.
            self._queues = [each for each in self._queues if each is not queue]

    async def views(self) -> AsyncGenerator[Snapshot | Problem]:
        """What is known now, again after each change; what has changed again before it was read is left out."""
        seen: Snapshot | Problem | None = None
        while True:
            latest = self._latest()
            changed = self._changed
            if latest is not None and latest is not seen:
                seen = latest
                yield latest
            else:
                await changed.wait()

    def _latest(self) -> Snapshot | Problem | None:
        return self.problem if self.view is None else self.view
