"""The helper's one truth: the snapshot, its numbered events, and who reads them. The only way out for state."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec

from slopn_helper import __version__
from slopn_helper.health import Facts, warnings
from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Open, Tunnelled
from slopn_helper.tunnel.driver import Position
from slopn_wire.events import (
    Event,
    EventBody,
    HealthChanged,
    Lagged,
    Live,
    Network,
    NetworkInfo,
    PolicyKind,
    ProfilesChanged,
    SettingsChanged,
    Snapshot,
    StateChanged,
    Stats,
    Warning,  # noqa: A004 - the health list's word
)
from slopn_wire.fold import fold
from slopn_wire.profile import Profile
from slopn_wire.settings import Settings
from slopn_wire.state import TargetState, TunnelState

READER_LIMIT = 256
"""Events that wait for a slow reader before it is told to ask again."""


class Hub:
    """Holds the snapshot. Each change of it is one numbered event to every subscription. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._snapshot = Snapshot(version=__version__)
        self._facts: Facts | None = None
        self._stored: tuple[Warning, ...] = ()
        self._subscriptions: set[Subscription] = set()
        self._arrived = asyncio.Event()

    def snapshot(self) -> Snapshot:
        """The whole, as of the last event."""
        return self._snapshot

    def subscribe(self) -> Subscription:
        """A reader that misses no event after its snapshot. Use it as a context."""
        subscription = Subscription(self._snapshot, self._subscriptions)
        self._arrived.set()
        return subscription

    async def somebody_reads(self) -> None:
        """Return once there is a subscription."""
        while not self._subscriptions:
            self._arrived.clear()
            await self._arrived.wait()

    def start(
        self,
        *,
        profiles: tuple[Profile, ...],
        settings: Settings,
        target: TargetState,
        target_profile: str | None,
        stored: tuple[Warning, ...],
    ) -> None:
        """What was on disk, before anybody reads."""
        self._stored = stored
        self._snapshot = msgspec.structs.replace(
            self._snapshot,
            profiles=profiles,
            settings=settings,
            target=target,
            target_profile=target_profile,
            since=self._clock(),
            health=stored,
        )

    def set_position(self, position: Position, live: Live, unrestored: tuple[str, ...]) -> None:
        """The tunnel has come to rest in `position`."""
        old = self._snapshot
        changed = StateChanged(
            state=position.state,
            since=old.since if _same(position.state, old.state) else self._clock(),
            target=old.target,
            target_profile=old.target_profile,
            policy=kind_of(position.in_force),
            live=live,
        )
        if changed != StateChanged(old.state, old.since, old.target, old.target_profile, old.policy, old.live):
            self._emit(changed)
        facts = Facts(position.state, old.settings, position.in_force, position.wanted, unrestored, self._stored)
        self._set_health(facts)

    def set_target(self, target: TargetState, profile: str | None) -> None:
        """The user wants something else. Told with the state that follows from it."""
        self._snapshot = msgspec.structs.replace(self._snapshot, target=target, target_profile=profile)

    def set_settings(self, settings: Settings) -> None:
        """Other settings hold."""
        if settings != self._snapshot.settings:
            self._emit(SettingsChanged(settings))

    def set_profiles(self, profiles: tuple[Profile, ...]) -> None:
        """The list of profiles has changed."""
        self._emit(ProfilesChanged(profiles))

    def set_network(self, network: Network) -> None:
        """The host is on another network."""
        if network != self._snapshot.network:
            self._emit(NetworkInfo(network))

    def set_stats(self, stats: Stats) -> None:
        """The counters have moved."""
        if stats != self._snapshot.stats:
            self._emit(stats)

    def _set_health(self, facts: Facts) -> None:
        health = warnings(facts)
        if health != self._snapshot.health:
            self._emit(HealthChanged(health))

    def _emit(self, body: EventBody) -> None:
        event = Event(self._snapshot.seq + 1, body)
        self._snapshot = fold(self._snapshot, event)
        for subscription in tuple(self._subscriptions):
            subscription.push(event)


class Subscription:
    """One reader: a snapshot, then every event after it. Leaving the context ends it."""

    def __init__(self, snapshot: Snapshot, register: set[Subscription], limit: int = READER_LIMIT) -> None:
        self.snapshot = snapshot
        self._register = register
        self._limit = limit
        self._queue: deque[Event | Lagged] = deque()
        self._wake = asyncio.Event()
        register.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._register.discard(self)

    def push(self, event: Event) -> None:
        """Queue `event`. Beyond the limit the reader is told that it lagged, and nothing more."""
        if len(self._queue) >= self._limit:
            self._register.discard(self)
            self._queue.clear()
            self._queue.append(Lagged())
        else:
            self._queue.append(event)
        self._wake.set()

    async def next(self) -> Event | Lagged:
        """Wait for the next event. `Lagged` once, when the reader fell too far behind; nothing follows it."""
        while not self._queue:
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()


def kind_of(policy: FirewallPolicy | None) -> PolicyKind:
    """`policy` in one word."""
    match policy:
        case Open():
            return PolicyKind.OPEN
        case Blocked():
            return PolicyKind.BLOCKED
        case Tunnelled():
            return PolicyKind.TUNNELLED
        case None:
            return PolicyKind.UNKNOWN


def _same(one: TunnelState, other: TunnelState) -> bool:
    """Whether a person would call it the same state: another step or attempt of connecting is."""
    return type(one) is type(other) and getattr(one, "profile", None) == getattr(other, "profile", None)
