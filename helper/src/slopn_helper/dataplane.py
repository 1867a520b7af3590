"""The engine at work for one tunnel: which gateway is used, when another takes its place, and the keys agreed with it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from slopn_helper.engine import (
    EngineConfig,
    EngineDown,
    EngineError,
    EngineEvent,
    HandshakeDone,
    HandshakeStale,
    PathFound,
    PeerConfig,
    RekeyingEngine,
)
from slopn_helper.pathmtu import Known, PathMtu
from slopn_helper.peers import named
from slopn_helper.protection import Plan, Protection, way
from slopn_helper.suspicion import EVERY, Suspicion, Todo
from slopn_helper.tunnel import inputs
from slopn_helper.tunnel.driver import ProfileError
from slopn_helper.uplink import Uplink
from slopn_wire.events import Live
from slopn_wire.profile import Endpoint, IPAddress, PostQuantum, Profile

HEAD_START = 0.5
"""Seconds that the most promising gateway has for itself, unless an attempt has failed."""

_log = logging.getLogger(__name__)


class Tunnel(Protocol):
    """Who wants to know what happens."""

    def post(self, inp: inputs.Input) -> object:
        """Something has happened to the tunnel."""
        ...

    async def protection_changed(self) -> bool:
        """The fact is another: done when the policy follows it; false if that was refused."""
        ...

    def in_use(self, gateway: bytes) -> None:
        """A gateway answers, and has the traffic."""

    def news(self) -> None:
        """What `live` tells may be different."""


class _Wanted(Struct, frozen=True):
    """What the tunnel is made of."""

    profile: Profile
    private_key: bytes

    def __repr__(self) -> str:
        return f"_Wanted({self.profile.name})"


class Dataplane:
    """Carries out what the runner wants, and follows the engine's events. Belongs to one event loop.

    The runner's calls come from the tunnel's driver and never wait for it; events may.
    """

    def __init__(self, engine: RekeyingEngine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._tunnel: Tunnel | None = None
        self._protection = Protection(engine, self._protection_changed, clock=clock)
        self._wanted: _Wanted | None = None
        self._interface: str | None = None
        """Once it has its addresses."""
        self._suspicion = Suspicion()
        self._answered: bytes | None = None
        """Another gateway that would take over."""
        self._silent: set[bytes] = set()
        self._others_at: float | None = None
        """When the other gateways are asked."""
        self._busy = asyncio.Event()
        """There is something to look after."""
        self.uplink = Uplink(engine)
        self.path = PathMtu(engine)
        self.latency: float | None = None
        """Seconds to the gateway in use and back, at the last handshake."""

    def connect_to(self, tunnel: Tunnel) -> None:
        """Whom to tell. Nothing happens before."""
        self._tunnel = tunnel

    @property
    def protected(self) -> bool:
        """See `Context.protected`."""
        return self._protection.protected

    @property
    def known(self) -> Known | None:
        """What the ways in use carry; None: not known yet."""
        return self.path.known(self.uplink.gateways())

    @property
    def unprotected_by(self) -> bytes | None:
        """The gateway that has agreed no key although it is demanded."""
        return self._protection.gateway if self._protection.demanded and not self.protected else None

    async def start(self, profile: Profile, config: EngineConfig, *, patient: bool) -> None:
        """Begin handshakes with the peers of `config`. `patient`: nothing has failed. Raises `EngineError`, `ProfileError`."""
        if profile.post_quantum is PostQuantum.DEMAND and profile.enrolment is not None and way(profile) is None:
            raise ProfileError("it demands a post-quantum key, and has no address to agree it with the gateway from")
        self._wanted = _Wanted(profile, config.private_key)
        self._silent.clear()
        self._answered = None
        self._others_at = self._clock() + HEAD_START
        if len(config.peers) > 1 or way(profile) is not None:
            self._busy.set()
        else:
            self._busy.clear()
        await self.uplink.start(config, choose=profile.enrolment is not None, patient=patient)
        await self.path.aim(profile, [peer.public_key for peer in self.uplink.peers if peer.endpoint is not None])

    async def configured(self, interface: str) -> None:
        """The interface has its addresses. Raises `OSError`."""
        self._interface = interface
        await self._protect()

    async def stop(self) -> None:
        """End the data plane. Raises `EngineError`."""
        self._protection.close()
        self._interface = None
        self._busy.clear()
        self.path.forget()
        await self.uplink.stop()

    async def moved(self) -> None:
        """The host is on another network. Raises `EngineError`."""
        if self.uplink.is_running:
            self._suspicion = Suspicion()
            await self._engine.rebind()

    def live(self, live: Live) -> Live:
        """With the gateway in use and its key."""
        wanted, gateway = self._wanted, self.uplink.in_use
        if live.interface is None or wanted is None:
            return live
        endpoint = None if gateway is None else _named(wanted.profile, gateway)
        known = self.known
        path = None if known is None else known.path
        return replace(live, gateway=endpoint, post_quantum=self._protection.told(), path_mtu=path)

    async def protect(self) -> None:
        """Have keys agreed. Runs until cancelled."""
        await self._protection.run()

    async def follow(self) -> None:
        """Carry the engine's events out. Runs until cancelled."""
        async for event in self._engine.events():
            try:
                await self._event(event)
            except (EngineError, OSError) as error:
                _log.warning("engine: %s", error)
            self._told.news()

    async def watch(self) -> None:
        """Look after gateways of which there are several, and tell what becomes of keys. Runs until cancelled."""
        while True:
            await self._busy.wait()
            await asyncio.sleep(EVERY)
            try:
                await self._look()
            except EngineError as error:
                _log.warning("engine: %s", error)
            self._told.news()

    @property
    def _told(self) -> Tunnel:
        if self._tunnel is None:
            raise RuntimeError("connect_to comes first")
        return self._tunnel

    def _protection_changed(self) -> Awaitable[bool]:
        return self._told.protection_changed()

    async def _event(self, event: EngineEvent) -> None:
        match event:
            case HandshakeDone(public_key=peer, rtt=rtt):
                if self.uplink.is_candidate(peer) and not await self._chosen(peer, event):
                    return
                if peer == self.uplink.in_use:
                    self.latency = rtt
                await self._protection.event(event)
                self._silent.discard(peer)
                self._told.in_use(peer)
                self._told.post(inputs.HandshakeDone())
            case HandshakeStale(public_key=peer):
                await self._protection.event(event)
                # One of several gateways that falls silent isn't the tunnel's end.
                self._silent.add(peer)
                if self._silent >= self.uplink.gateways():
                    self._silent.clear()
                    self._told.post(inputs.HandshakeStale())
            case PathFound():
                self.path.found(event)
            case EngineDown(reason=reason):
                await self._protection.event(event)
                if reason is not None:
                    self.path.forget()
                    _log.error("engine: %s", reason)
                    self._interface = None
                    self._told.post(inputs.EngineDown(reason))
            case _:
                await self._protection.event(event)

    async def _chosen(self, peer: bytes, event: HandshakeDone) -> bool:
        """Whether the candidate that has answered is the one in use, now or already."""
        if (now := self.uplink.in_use) is None:
            await self._use(peer)
        elif peer != now:
            self._answered = peer
            await self._protection.event(event)
            if not self._suspicion.is_given_up(self._clock()):
                return False
            await self._move(peer)
        return peer == self.uplink.in_use

    async def _use(self, gateway: bytes) -> None:
        if self._protection.gateway not in {None, gateway} and not await self._protection.drop():
            return
        await self.uplink.use(gateway)
        self._suspicion, self._answered = Suspicion(), None

    async def _move(self, gateway: bytes) -> None:
        """Another one takes the place of a gateway that is silent. Where keys are demanded, nothing passes until there is one."""
        _log.info("gateway %s is silent; %s takes its place", *map(_short, (self.uplink.in_use, gateway)))
        await self._use(gateway)
        if self._interface is not None and gateway == self.uplink.in_use:
            await self._protect()

    async def _protect(self) -> None:
        wanted, gateway, interface = self._wanted, self.uplink.in_use, self._interface
        ends = None if wanted is None else way(wanted.profile)
        peer = next((one for one in self.uplink.peers if one.public_key == gateway), None)
        if wanted is None or ends is None or peer is None or interface is None:
            self._protection.close()
            return
        await self._protection.aim(_plan(wanted, ends, peer, interface))

    async def _look(self) -> None:
        gateway = self.uplink.in_use
        if gateway is None and self._others_at is not None and self._clock() >= self._others_at:
            self._others_at = None
            await self.uplink.ask_all()
        if gateway is None or not self.uplink.spares:
            return
        counted = self._engine.counters().of(gateway)
        if counted is None:
            return
        now = self._clock()
        match self._suspicion.look(counted.rx_bytes, counted.tx_bytes, self.latency, now):
            case Todo.ASK:
                _log.debug("gateway %s is silent: asked for a handshake", _short(gateway))
                await self.uplink.ask()
            case Todo.ASK_ALL:
                _log.info("gateway %s doesn't answer; the others are asked", _short(gateway))
                await self.uplink.ask_all()
            case Todo.CALM:
                self._answered = None
                await self.uplink.use(gateway)
            case Todo.NOTHING:
                if self._answered is not None and self._suspicion.is_given_up(now):
                    await self._move(self._answered)


def _plan(wanted: _Wanted, ends: tuple[IPAddress, IPAddress], peer: PeerConfig, interface: str) -> Plan:
    own, other = ends
    demanded = wanted.profile.post_quantum is PostQuantum.DEMAND
    return Plan(interface, peer.public_key, wanted.private_key, peer.preshared_key, own, other, demanded)


def _named(profile: Profile, gateway: bytes) -> Endpoint | None:
    """Where a gateway is, in the enrolment's words."""
    gateways = profile.enrolment.gateways if profile.enrolment is not None else ()
    return next((one.endpoint for one in gateways if one.public_key == named(gateway)), None)


def _short(gateway: bytes | None) -> str:
    return "none" if gateway is None else f"{named(gateway)[:4]}…"
