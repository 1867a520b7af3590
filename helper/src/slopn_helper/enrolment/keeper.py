"""Renews enrolments before they expire, and asks a gateway that doesn't let this device in whether it still knows it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Struct

from slopn_helper.enrolment import schedule
from slopn_helper.enrolment.enroller import EnrolError
from slopn_helper.secrets import SecretError
from slopn_helper.store import StoreError
from slopn_helper.tunnel.policy import failing
from slopn_wire.events import Snapshot, Warning  # noqa: A004 - the health list's word
from slopn_wire.profile import Enrolment, Profile
from slopn_wire.state import Connecting

LOOK_EVERY = 60.0
"""Seconds between two looks at the clock, which may have been set, or have gone on while this computer slept."""
ASK_EVERY = 600.0
"""Seconds between two questions whether a gateway that doesn't answer still knows this device."""
ATTEMPTS = 2
"""Failed attempts to connect before it is asked: one may fail for many reasons."""

_log = logging.getLogger(__name__)


class Hub(Protocol):
    """What is known, and where warnings go."""

    def snapshot(self) -> Snapshot:
        """As of now."""
        ...

    def set_checked(self, look: str, found: tuple[Warning, ...]) -> None:
        """What this look has found."""


class Renew(Protocol):
    """`Enroller.renew`."""

    async def __call__(self, name: str, *, rotate: bool) -> Profile:
        """Raises `EnrolError`, `ValueError`, and as the store."""
        ...


class _Course(Struct):
    """What has come of one profile's renewals."""

    enrolment: Enrolment
    failures: int = 0
    again: float = 0.0
    """Unix time before which nothing is tried."""
    failed: str | None = None
    ended: str | None = None


class Keeper:
    """Belongs to one event loop."""

    def __init__(
        self,
        hub: Hub,
        renew: Renew,
        *,
        chance: Callable[[], float],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[asyncio.Event], Awaitable[None]] | None = None,
    ) -> None:
        """`chance`: a number in [0, 1). `sleep`: until the event is set, or it is time to look again."""
        self._hub = hub
        self._renew = renew
        self._chance = chance
        self._clock = clock
        self._sleep = sleep or _sleep
        self._courses: dict[str, _Course] = {}
        self._asked: dict[str, float] = {}
        self._moved = asyncio.Event()

    def moved(self) -> None:
        """The tunnel has come to another state."""
        self._moved.set()

    async def run(self) -> None:
        """Look again and again. Runs until cancelled."""
        while True:
            self._moved.clear()
            await self.look()
            await self._sleep(self._moved)

    async def look(self) -> None:
        """Renew what is due, and tell of what can't be."""
        enrolled = [(p.name, p.enrolment) for p in self._hub.snapshot().profiles if p.enrolment is not None]
        self._follow(enrolled)
        for name, enrolment in enrolled:
            if self._wanted(name, enrolment):
                await self._try(name, enrolment)
        self._tell()

    def _follow(self, enrolled: Sequence[tuple[str, Enrolment]]) -> None:
        """A profile that is gone, or was renewed or enrolled anew by somebody else, begins from the start."""
        known = dict(enrolled)
        for name in self._courses.keys() - known.keys():
            del self._courses[name]
        for name, enrolment in enrolled:
            course = self._courses.get(name)
            if course is None or course.enrolment != enrolment:
                self._courses[name] = _Course(enrolment)

    def _wanted(self, name: str, enrolment: Enrolment) -> bool:
        now = self._clock()
        snapshot = self._hub.snapshot()
        if not snapshot.network.online:
            return False
        state = snapshot.state
        shut_out = isinstance(state, Connecting) and state.profile == name and state.attempt >= ATTEMPTS
        if shut_out and failing(state) and not 0 <= now - self._asked.get(name, 0.0) < ASK_EVERY:
            self._asked[name] = now
            return True
        return now >= max(schedule.due(enrolment), self._courses[name].again)

    async def _try(self, name: str, enrolment: Enrolment) -> None:
        course = self._courses[name]
        # A key lives as long as what it was enrolled for; where nothing expires nobody asked for another one.
        rotate = enrolment.expires is not None and self._clock() >= schedule.due(enrolment)
        asked: float | None = None
        try:
            renewed = await self._renew(name, rotate=rotate)
        except EnrolError as error:
            course.failed = str(error)
            course.ended = str(error) if error.answer is not None and error.answer.ended else None
            asked = None if error.answer is None else error.answer.retry_after
        except (ValueError, StoreError, SecretError) as error:
            course.failed = str(error)
        else:
            if renewed.enrolment is not None:
                self._courses[name] = _Course(renewed.enrolment)
            return
        _log.warning("%r could not be renewed: %s", name, course.failed)
        now = self._clock()
        course.failures += 1
        left = None if enrolment.expires is None else enrolment.expires - now
        course.again = now + schedule.pause(course.failures, self._chance(), left, asked)

    def _tell(self) -> None:
        now = self._clock()
        found = (
            schedule.told(name, course.enrolment, now, course.ended, course.failed)
            for name, course in sorted(self._courses.items())
        )
        self._hub.set_checked("enrolment", tuple(one for one in found if one is not None))


async def _sleep(moved: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_EVERY):
            await moved.wait()
