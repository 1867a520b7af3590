"""One connection's account: what its user is charged for it, and how it is refused, with a line in the log each time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from enum import StrEnum

from slopn_helper.ipc.authz import Credentials
from slopn_helper.ipc.limits import Limits, Meter
from slopn_helper.ipc.refusals import Why, line
from slopn_wire.events import ErrorKind, Refused

_TOO_MUCH = {
    Why.CONNECTION_RATE: "Too many connections to SloPN within a short time. Wait a moment, then try again.",
    Why.CONNECTIONS: "Too many programs are connected to SloPN. Close some, then try again.",
    Why.HANDSHAKES: "Too many programs are connecting to SloPN right now. Wait a moment, then try again.",
    Why.COMMAND_RATE: "Too many requests within a short time. Wait a moment, then try again.",
    Why.COMMANDS: "Too many requests are being carried out. Wait until they are done, then try again.",
    Why.MEMORY: "Too many large requests at the same time. Wait until they are done, then try again.",
}

_log = logging.getLogger(__name__)


def too_much(why: Why) -> Refused:
    """What a client is told that went beyond a limit."""
    return Refused(ErrorKind.LIMITED, _TOO_MUCH[why])


class Visitor:
    """Who is at the other end, for limits and the log. `meter`: None for root, whom nothing limits."""

    def __init__(self, peer: Credentials, limits: Limits, meter: Meter | None) -> None:
        self.peer = peer
        self.caps = limits.caps
        self.meter = meter
        self._limits = limits

    def has_room(self, size: int) -> bool:
        """Whether the user may be charged for `size` bytes more."""
        return self.meter is None or self.meter.bytes_held + size <= self.caps.bytes_held

    @contextlib.contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Charge the user for `size` bytes."""
        self.charge(size)
        try:
            yield
        finally:
            self.charge(-size)

    def charge(self, change: int) -> None:
        """So many bytes more, or less, are held for the user."""
        if self.meter is not None:
            self.meter.bytes_held += change

    def refuse(self, why: StrEnum) -> float:
        """Count a refusal and log it, with those before it that got no line. Returns the seconds that its answer waits."""
        meter, peer, now, more = self.meter, self.peer, time.monotonic(), 0
        if meter is not None:
            unlogged = meter.log(now)
            if unlogged is None:
                return meter.delay(now)
            more = unlogged
        _log.warning(
            "%s",
            line(why, uid=peer.uid, pid=peer.pid, session=peer.session, user=peer.user, exe=peer.exe, more=more),
        )
        return 0.0 if meter is None else meter.delay(now)

    async def wait(self, delay: float) -> bool:
        """Let `delay` seconds pass before a refusal is told. False: too many of them wait already, so tell nothing."""
        if delay <= 0.0 or self.meter is None:
            return True
        if self.meter.refusals_waiting >= self.caps.refusals_waiting:
            return False
        self.meter.refusals_waiting += 1
        try:
            await asyncio.sleep(delay)
        finally:
            self.meter.refusals_waiting -= 1
        return True
