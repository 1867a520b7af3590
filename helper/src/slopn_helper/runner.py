"""Carries the core's effects out on this host: firewall, engine, addresses, routes, DNS. Knows no state of the tunnel."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from random import SystemRandom
from typing import Protocol

import msgspec

from slopn_helper import overlap, split
from slopn_helper.dataplane import Dataplane
from slopn_helper.gateways import Gateways
from slopn_helper.host.dns import DnsConfigurator
from slopn_helper.host.firewall import Firewall
from slopn_helper.host.netmon import NetworkState
from slopn_helper.host.restore import all_of
from slopn_helper.host.routes import RouteConfig, Router
from slopn_helper.lineup import Lineup
from slopn_helper.overlap import OnLink
from slopn_helper.pathmtu import is_narrow, tunnel_mtu
from slopn_helper.peers import engine_config, named
from slopn_helper.protection import way
from slopn_helper.secrets import ProfileSecrets, SecretError
from slopn_helper.store import StoreError
from slopn_helper.tunnel.context import Context, Errand, ProfileFacts
from slopn_helper.tunnel.driver import OverlapError, ProfileError
from slopn_helper.tunnel.effects import (
    ApplyFirewall,
    ConfigureHost,
    Effect,
    ResolveEndpoints,
    RestoreHost,
    SetTimer,
    StartEngine,
    StopEngine,
)
from slopn_helper.tunnel.inputs import Drifted, EngineStarted, EngineStopped, HostConfigured, Input, Part
from slopn_wire.events import Live
from slopn_wire.profile import Endpoint, IPAddress, IPNetwork, PostQuantum, Profile
from slopn_wire.settings import KillSwitchMode, Settings

FWMARK = 51820
INTERFACE = "slopn0"
LOOK_WITHIN = 2.0
"""Seconds for each look at what others may have changed of routes and DNS."""
DRIFT_TOLD = 600.0
"""Seconds for which the health list tells that others have changed something."""

_log = logging.getLogger(__name__)
_random = SystemRandom()


class RestoreError(Exception):
    """Something of ours could not be undone; the journal still has it."""


class ProfileBook(Protocol):
    """Where profiles and settings are found; the hub is it."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        ...

    def profile(self, name: str) -> Profile | None:
        """The profile of that name."""

    def names(self) -> Sequence[str]:
        """All profiles."""

    def secrets(self, name: str) -> ProfileSecrets:
        """Its keys. Raises `StoreError` or `SecretError`."""

    def pause_left(self) -> float:
        """Seconds until the user's pause is over."""


class HostRunner:
    """The `EffectRunner` of this host. Every effect is idempotent."""

    def __init__(
        self,
        book: ProfileBook,
        *,
        firewall: Firewall,
        router: Router,
        dns: DnsConfigurator,
        dataplane: Dataplane,
        restore: Callable[[], Awaitable[list[str]]],
        gateways: Gateways,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._firewall = firewall
        self._router = router
        self._dns = dns
        self._dataplane = dataplane
        self._restore = restore
        self._gateways = gateways
        self._lineup = Lineup()
        self._lined: Profile | None = None
        """As it was resolved last: with the gateways that are tried."""
        self._patient = True
        self.upstream: tuple[IPAddress, ...] = ()
        """The resolvers that the host had before us."""
        self.errand = Errand()
        """See `Context.errand`."""
        self.network = NetworkState(None)
        self.live = Live()
        """What is configured on the host right now."""
        self._configured: Profile | None = None
        """As what."""
        self._clock = clock
        self._drifted: deque[tuple[float, str]] = deque(maxlen=3)
        self.unrestored: tuple[str, ...] = ()
        """A sentence for each thing that the last `RestoreHost` could not put back."""

    def context(self) -> Context:
        """See `EffectRunner.context`."""
        include = self._book.settings.include
        return Context(
            profiles={name: _facts(self._book.profile(name), include) for name in self._book.names()},
            resolvers=self._book.settings.resolvers or self.upstream,
            jitter=_random.random(),
            pause_left=self._book.pause_left(),
            portal=self._gateways.portal(self._book.settings.portal_url),
            protected=self._dataplane.protected,
            errand=self.errand,
        )

    def around(self) -> tuple[Sequence[IPAddress], frozenset[int]]:
        """Whom to ask for names beside the tunnel, and the IP versions with a way out."""
        return self._book.settings.resolvers or self.upstream, self.network.reachable

    async def run(self, effect: Effect) -> Input | None:
        """See `EffectRunner.run`."""
        match effect:
            case ApplyFirewall(policy=policy):
                persist = self._book.settings.kill_switch is KillSwitchMode.ALWAYS
                await self._firewall.apply(policy, persist=persist)
            case StartEngine(profile=name, peers=peers):
                return await self._start_engine(name, peers)
            case StopEngine():
                await self._dataplane.stop()
                return EngineStopped()
            case ConfigureHost(profile=name, interface=interface):
                return await self._configure(self._profile(name), interface)
            case RestoreHost():
                await self._undo()
            case ResolveEndpoints() | SetTimer():
                raise AssertionError(f"{type(effect).__name__} is the driver's own")
        return None

    async def drift(self, *, host: bool) -> tuple[Drifted, ...]:
        """See `EffectRunner.drift`. What can't be looked at hides nothing of the rest."""
        rules = await self._firewall.drift()
        found = [] if rules is None else [Drifted(Part.FIREWALL, f"firewall: {rules}")]
        looks = (self._router.drift, self._dns.drift) if host else ()
        if elsewhere := [what for look in looks if (what := await _seen(look)) is not None]:
            found.append(Drifted(Part.HOST, "; ".join(elsewhere)))
        self._drifted.extend((self._clock(), drifted.what) for drifted in found)
        return tuple(found)

    def drifted(self) -> tuple[str, ...]:
        """What others have changed of ours lately, and we put back: the last few, oldest first."""
        return tuple(dict.fromkeys(what for at, what in self._drifted if self._clock() - at < DRIFT_TOLD))

    async def resolve(self, effect: ResolveEndpoints) -> tuple[tuple[Endpoint, ...], ...]:
        """See `EffectRunner.resolve`."""
        settings = self._book.settings
        if (gateway := self._dataplane.unprotected_by) is not None:
            self._lineup.blame(effect.profile, named(gateway))
        lined = self._lineup.next(self._profile(effect.profile), failing=effect.failing)
        found = await self._gateways.find(
            lined,
            settings.resolvers or self.upstream,
            self.network.reachable,
            failing=effect.failing,
            portal_url=settings.portal_url,
            any_of=lined.enrolment is not None,
        )
        if lined.enrolment is not None:
            there = (peer for peer, addresses in zip(lined.peers, found, strict=True) if addresses)
            lined = msgspec.structs.replace(lined, peers=tuple(there))
        self._lined, self._patient = lined, not effect.failing
        return tuple(filter(None, found))

    def answered(self, public_key: bytes) -> None:
        """The gateway with that key has answered, and has the traffic: remember which, and where."""
        if self._lined is not None:
            self._lineup.used(self._lined.name, named(public_key))
        if (now := self._dataplane.uplink.address(public_key)) is not None:
            self._gateways.answered(public_key, ip_address(now[0]))

    def told(self) -> Live:
        """`live`, with what the data plane knows of itself."""
        return self._dataplane.live(self.live)

    def path(self) -> tuple[bool, int | None]:
        """Whether the tunnel's device should have another MTU than it has, and the path's if it is too narrow for IPv6."""
        profile, known = self._configured, self._dataplane.known
        if profile is None or self.live.interface is None or known is None:
            return False, None
        return self._mtu(profile) != self.live.mtu, known.path if is_narrow(profile, known) else None

    async def _start_engine(self, name: str, peers: tuple[tuple[Endpoint, ...], ...]) -> EngineStarted:
        profile = self._profile(name)
        try:
            secrets = self._book.secrets(name)
        except (StoreError, SecretError) as error:
            raise ProfileError(str(error)) from error
        gateways = [at for found in peers for endpoint in found if (at := overlap.literal(endpoint)) is not None]
        if (why := overlap.through_itself(profile, gateways)) is not None:
            raise ProfileError(why)
        await self._refuse_overlap(profile)
        lined = self._lined if self._lined is not None and self._lined.name == name else profile
        config = engine_config(lined, secrets, peers, INTERFACE, FWMARK, self._mtu(profile))
        await self._dataplane.start(profile, config, patient=self._patient)
        return EngineStarted(config.interface)

    async def _refuse_overlap(self, profile: Profile) -> None:
        routed = () if profile.table == "off" else self._allowed(profile)
        here = (*self.network.addresses, *self.network.ways_out)
        links = [
            OnLink(network, device, tuple(address for address in here if address in network))
            for network, device in await self._router.on_link()
        ]
        if (why := overlap.with_links(profile, routed, links)) is not None:
            raise OverlapError(why)

    async def _configure(self, profile: Profile, interface: str) -> HostConfigured:
        mtu = self._mtu(profile)
        settings = self._book.settings
        routes = self._allowed(profile)
        dns = split.dns(profile, settings.include)
        routes = (*routes, *split.kept(dns.servers, routes, settings.exclude))
        await self._router.apply(
            RouteConfig(
                interface=interface,
                endpoints=self._dataplane.uplink.addresses,
                addresses=profile.addresses,
                routes=() if profile.table == "off" else routes,
                mtu=mtu,
                fwmark=FWMARK,
                table=int(profile.table) if profile.table.isdigit() else None,
                excluded=settings.exclude,
            )
        )
        await self._dns.apply(interface, dns)
        await self._dataplane.configured(interface)
        self.live = Live(interface=interface, addresses=profile.addresses, dns=dns, mtu=mtu)
        self._configured = profile
        return HostConfigured()

    async def _undo(self) -> None:
        """Undo what this process did by its mechanisms, and what an earlier one left by the journal."""
        failed = await all_of(self._dns.reset, lambda: self._router.apply(None))
        failed += await self._restore()
        self.live = Live()
        self.unrestored = tuple(dict.fromkeys(failed))
        if failed:
            raise RestoreError("; ".join(self.unrestored))

    def _profile(self, name: str) -> Profile:
        profile = self._book.profile(name)
        if profile is None:
            raise ProfileError(f"there is no profile “{name}” any more")
        return profile

    def _mtu(self, profile: Profile) -> int:
        return tunnel_mtu(profile, self.network.mtu, self._dataplane.known)

    def _allowed(self, profile: Profile) -> tuple[IPNetwork, ...]:
        """What goes into the tunnel, by the profile and the setting."""
        allowed = (network for peer in profile.peers for network in peer.allowed_ips)
        return split.through(allowed, self._book.settings.include)


async def _seen(look: Callable[[], Awaitable[str | None]]) -> str | None:
    try:
        async with asyncio.timeout(LOOK_WITHIN):
            return await look()
    except Exception as error:  # noqa: BLE001 - a look that fails is taken again
        _log.warning("whether this host is as we left it can't be told: %s", str(error) or type(error).__name__)
        return None


def _facts(profile: Profile | None, include: Sequence[IPNetwork]) -> ProfileFacts:
    if profile is None:
        return ProfileFacts()
    addresses = tuple(interface.ip for interface in profile.addresses)
    dns = split.dns(profile, include)
    ends = way(profile) if profile.post_quantum is PostQuantum.DEMAND else None
    return ProfileFacts(addresses, dns.servers if not dns.match else (), () if ends is None else ends[1:])
