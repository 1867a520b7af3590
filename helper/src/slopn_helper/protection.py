"""The client's end of the post-quantum key for the tunnel that is up: docs/decisions/0008.

One end for each gateway: another gateway, another engine or another profile is another pair of keys, and begins anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct

from slopn_helper.engine import EngineDown, EngineError, EngineEvent, HandshakeDone, Rekeying
from slopn_helper.psk import PORT
from slopn_helper.psk.channel import Channel
from slopn_helper.psk.client import Client
from slopn_helper.psk.ends import End
from slopn_helper.psk.schedule import Pair
from slopn_helper.psk.sockets import open_socket
from slopn_wire.events import Protection as Told
from slopn_wire.profile import IPAddress, PostQuantum, Profile

_log = logging.getLogger(__name__)


class Plan(Struct, frozen=True):
    """Between whom keys are agreed."""

    interface: str
    gateway: bytes
    private_key: bytes
    base: bytes | None
    """The configured preshared key."""
    own: IPAddress
    other: IPAddress
    """Both ends' addresses in the tunnel."""
    demanded: bool

    def __repr__(self) -> str:
        return f"Plan({self.interface}, {self.other}, demanded={self.demanded})"


def way(profile: Profile) -> tuple[IPAddress, IPAddress] | None:
    """Our address in the tunnel and the gateway's, of one family; None: there is none, or no key of the protocol is wanted.

    Pure.
    """
    if profile.enrolment is None or profile.post_quantum is PostQuantum.OFF:
        return None
    own = [interface.ip for interface in profile.addresses]
    pairs = ((mine, theirs) for theirs in profile.enrolment.inside for mine in own)
    return next(((mine, theirs) for mine, theirs in pairs if mine.version == theirs.version), None)


class Protection:
    """Agrees keys by one plan at a time. Belongs to one event loop."""

    def __init__(
        self,
        engine: Rekeying,
        changed: Callable[[], Awaitable[bool]],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        opened: Callable[[str, str], socket.socket] = open_socket,
    ) -> None:
        """`changed`: `protected` is another; done once the policy that this demands is in force, or false: it was refused."""
        self._engine = engine
        self._changed = changed
        self._clock = clock
        self._wall = wall
        self._opened = opened
        self._plan: Plan | None = None
        self._end: End | None = None
        self._channel: Channel | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._group: asyncio.TaskGroup | None = None
        self._last: dict[bytes, HandshakeDone] = {}
        """The last session of each gateway of this engine."""
        self.protected = False
        """See `Context.protected`; only of a plan that demands it."""

    @property
    def gateway(self) -> bytes | None:
        """With whom keys are agreed."""
        return None if self._plan is None else self._plan.gateway

    @property
    def demanded(self) -> bool:
        """Whether nothing may pass without a key."""
        return self._plan is not None and self._plan.demanded

    def told(self) -> Told | None:
        """For `status`; None: no keys are agreed."""
        if self._plan is None or self._end is None:
            return None
        now = self._end.status
        since = None
        if now.protected and now.agreed_at is not None:
            since = round(self._wall() - (self._clock() - now.agreed_at), 1)
        return Told(self._plan.demanded, since, now.failed)

    async def run(self) -> None:
        """Have the work done. Runs until cancelled; nothing is agreed before."""
        async with asyncio.TaskGroup() as self._group:
            await asyncio.Event().wait()

    async def aim(self, plan: Plan) -> None:
        """Agree keys by `plan` from now on; nothing changes if that is being done. Raises `OSError`.

        What was agreed with another gateway holds no longer: tell the tunnel first, by `drop`.
        """
        if plan == self._plan:
            return
        self.close()
        pair = Pair(plan.private_key, plan.gateway, client=True)
        side = Client(pair, plan.base, os.urandom, demanded=plan.demanded)
        channel = Channel(lambda host, port: end if (host, port) == (str(plan.other), PORT) else None)
        await channel.open(self._opened(plan.interface, str(plan.own)))

        def send(datagram: bytes) -> None:
            channel.send(datagram, (str(plan.other), PORT))

        end = End(side, self._engine, plan.gateway, send, self._gate, clock=self._clock)
        self._plan, self._end, self._channel = plan, end, channel
        loops = (channel.run(), end.run(), self._catch_up(end, plan.gateway))
        if self._group is not None:
            self._tasks = [self._group.create_task(loop) for loop in loops]

    async def event(self, event: EngineEvent) -> None:
        """The engine tells something."""
        if isinstance(event, HandshakeDone):
            self._last[event.public_key] = event
        if isinstance(event, EngineDown):
            await self.drop()
            self._last.clear()
        elif self._end is not None:
            await self._end.event(event)

    async def drop(self) -> bool:
        """Agree no more keys; false if the tunnel could not be closed that demands them."""
        was = self.protected
        self.close()
        return await self._changed() if was else True

    def close(self) -> None:
        """As `drop`, for whoever sees to the policy himself."""
        for task in self._tasks:
            task.cancel()
        if self._channel is not None:
            self._channel.close()
        self._tasks, self._channel, self._end, self._plan = [], None, None, None
        self.protected = False

    async def _catch_up(self, end: End, gateway: bytes) -> None:
        """The session was agreed before there was a way into the tunnel."""
        if (last := self._last.get(gateway)) is not None:
            await end.event(last)

    async def _gate(self, is_open: bool) -> None:  # noqa: FBT001 - as `End` calls it
        """See `End`. Raises `EngineError`, so that no key follows, if what must be closed isn't."""
        self.protected = is_open
        _log.info(
            "post-quantum key: %s", "in force; traffic may pass" if is_open else "none in force; traffic is held back"
        )
        if not await self._changed() and not is_open:
            raise EngineError("the tunnel can't be closed to all but the agreement of a key")
