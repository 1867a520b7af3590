"""The helper's one truth: the snapshot, its numbered events, and who reads them. The only way out for state."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from itertools import chain

import msgspec

from slopn_helper import __version__
from slopn_helper.health import Facts, warnings
from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Open, Tunnelled
from slopn_helper.ring import EventRing, Subscription
from slopn_helper.tunnel.driver import Position
from slopn_wire.devices import Device, PendingPairing
from slopn_wire.events import (
    DevicesChanged,
    Event,
    EventBody,
    HealthChanged,
    Live,
    Network,
    NetworkInfo,
    PairingsChanged,
    PolicyKind,
    ProfilesChanged,
    Resumed,
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


class Hub:
    """Holds the snapshot. Each change of it is one numbered event to every subscription. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.time, epoch: str | None = None) -> None:
        self._clock = clock
        self._snapshot = Snapshot(version=__version__, epoch=epoch or secrets.token_hex(8))
        self._facts: Facts | None = None
        self._stored: tuple[Warning, ...] = ()
        self._checked: dict[str, tuple[Warning, ...]] = {}
        self._ring = EventRing()
        self._arrived = asyncio.Event()

    def snapshot(self) -> Snapshot:
        """The whole, as of the last event."""
        return self._snapshot

    def subscribe(self, after: int | None = None, epoch: str = "") -> Subscription:
        """See `ipc.Hub.subscribe`. Use it as a context."""
        self._arrived.set()
        now = self._snapshot
        if after is not None and epoch == now.epoch and self._ring.has_all_after(after, now.seq):
            return Subscription(self._ring, Resumed(after), after)
        return Subscription(self._ring, now, now.seq)

    async def somebody_reads(self) -> None:
        """Return once there is a subscription."""
        while not self._ring.readers:
            self._arrived.clear()
            await self._arrived.wait()

    def start(
        self,
        *,
        profiles: tuple[Profile, ...],
        settings: Settings,
        target: TargetState,
        target_profile: str | None,
        paused_until: float | None,
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
            paused_until=paused_until,
            since=self._clock(),
            health=stored,
        )

    def set_position(
        self,
        position: Position,
        live: Live,
        unrestored: tuple[str, ...],
        drifted: tuple[str, ...] = (),
        unguarded: str | None = None,
    ) -> None:
        """The tunnel has come to rest in `position`."""
        old = self._snapshot
        changed = StateChanged(
            state=position.state,
            since=old.since if _same(position.state, old.state) else self._clock(),
            target=old.target,
            target_profile=old.target_profile,
            paused_until=old.paused_until,
            policy=kind_of(position.in_force),
            live=live,
            next_try=position.next_try,
        )
        if changed != _position(old):
            self._emit(changed)
        facts = Facts(
            position.state,
            old.settings,
            position.in_force,
            position.wanted,
            unrestored,
            drifted,
            unguarded,
            position.why,
            self._lasting(),
        )
        self._set_health(facts)

    def set_live(self, live: Live) -> None:
        """What is true of the tunnel has changed, and its state hasn't."""
        changed = msgspec.structs.replace(_position(self._snapshot), live=live)
        if changed != _position(self._snapshot):
            self._emit(changed)

    def set_target(self, target: TargetState, profile: str | None, paused_until: float | None) -> None:
        """The user wants something else; paused until then (Unix time), or None."""
        old = self._snapshot
        changed = msgspec.structs.replace(
            _position(old), target=target, target_profile=profile, paused_until=paused_until
        )
        if changed != _position(old):
            self._emit(changed)

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

    def set_devices(self, devices: tuple[Device, ...]) -> None:
        """See `ipc.Hub.set_devices`."""
        if devices != self._snapshot.devices:
            self._emit(DevicesChanged(devices))

    def set_pairings(self, pairings: tuple[PendingPairing, ...]) -> None:
        """See `ipc.Hub.set_pairings`."""
        if pairings != self._snapshot.pairings:
            self._emit(PairingsChanged(pairings))

    def set_checked(self, look: str, found: tuple[Warning, ...]) -> None:
        """What the last look of that name found; it holds until the next one."""
        self._checked[look] = found
        if self._facts is not None:
            self._set_health(msgspec.structs.replace(self._facts, stored=self._lasting()))

    def _lasting(self) -> tuple[Warning, ...]:
        return (*self._stored, *chain.from_iterable(self._checked.values()))

    def _set_health(self, facts: Facts) -> None:
        self._facts = facts
        health = warnings(facts)
        if health != self._snapshot.health:
            self._emit(HealthChanged(health))

    def _emit(self, body: EventBody) -> None:
        event = Event(self._snapshot.seq + 1, body)
        self._snapshot = fold(self._snapshot, event)
        self._ring.add(event)


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


def _position(of: Snapshot) -> StateChanged:
    return StateChanged(**{name: getattr(of, name) for name in StateChanged.__struct_fields__})


def _same(one: TunnelState, other: TunnelState) -> bool:
    """Whether a person would call it the same state: another step or attempt of connecting is."""
    return type(one) is type(other) and getattr(one, "profile", None) == getattr(other, "profile", None)
