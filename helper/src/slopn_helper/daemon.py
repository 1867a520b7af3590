"""The client role at work: a table of wires between the parts, and the loops that carry what happens along them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Protocol

from slopn_helper.checks import Checks, PortalCheck
from slopn_helper.control import Control
from slopn_helper.dataplane import Dataplane
from slopn_helper.engine import Engine, EngineError
from slopn_helper.health import warning
from slopn_helper.host.firewall.policy import Blocked
from slopn_helper.host.netmon import NetworkMonitor, NetworkState
from slopn_helper.hub import Hub
from slopn_helper.runner import INTERFACE, HostRunner
from slopn_helper.tunnel import inputs
from slopn_helper.tunnel.context import Errand
from slopn_helper.tunnel.driver import Note, Position, TunnelDriver
from slopn_helper.tunnel.policy import closed
from slopn_helper.upstream import Upstream
from slopn_wire.diagnosis import Diagnosis, Replayed
from slopn_wire.events import Network, Stats
from slopn_wire.profile import DnsConfig, Endpoint, IPAddress
from slopn_wire.settings import Settings
from slopn_wire.state import Disconnected, TargetState

STATS_EVERY = 1.0
"""Seconds between two looks at the counters while somebody watches."""
DRIFT_EVERY = 5.0
"""Seconds between two looks at what others may have changed."""
NETWORK_WITHIN = 1.0
"""Seconds that the start waits for the first look at the network: whom to ask for names is known only then."""

_log = logging.getLogger(__name__)


class Dns(Protocol):
    """What the daemon needs of the host's DNS, beside the runner."""

    override: str | None

    async def guard(self) -> None:
        """Keep what was applied in force. Runs until cancelled."""

    async def upstream(self, interface: str) -> tuple[IPAddress, ...]:
        """The resolvers that the host had before us."""
        ...

    async def check(self, interface: str, config: DnsConfig, *, blocked: bool) -> tuple[str, str] | None:
        """See `checks.Dns.check`."""


class Rules(Protocol):
    """What the daemon needs of the firewall, beside the runner."""

    async def links_changed(self) -> None:
        """A device may have come: it needs its guard. Raises nothing."""

    @property
    def unguarded(self) -> str | None:
        """Why programs with packet sockets pass the closed policy in force; None: they don't."""


class Daemon:
    """Runs the client role until it is told to stop."""

    def __init__(
        self,
        *,
        control: Control,
        hub: Hub,
        runner: HostRunner,
        engine: Engine,
        dataplane: Dataplane,
        monitor: NetworkMonitor,
        dns: Dns,
        rules: Rules,
        changes: Sequence[Callable[[], AsyncIterator[str]]],
        serve: Callable[[], Coroutine[None, None, None]],
        beside: Sequence[Callable[[], Coroutine[None, None, None]]] = (),
        portal: PortalCheck,
        diagnose: Callable[[], Coroutine[None, None, Diagnosis]],
        replay: Callable[[bytes], Replayed],
        note: Note,
        follow_settings: Callable[[Settings], None],
    ) -> None:
        """`changes`: a word each time that others may have changed what we have set; none ends. `beside`: what else runs as long as the helper. `follow_settings` takes those that are nobody else's here."""
        self._control = control
        self._hub = hub
        self._runner = runner
        self._engine = engine
        self._dataplane = dataplane
        self._monitor = monitor
        self._dns = dns
        self._rules = rules
        self._changes = changes
        self._serve = serve
        self._beside = beside
        self._follow_settings = follow_settings
        self._driver = TunnelDriver(runner, self._publish, control.settings, note)
        self._dns.override = control.settings.dns_mechanism
        self.diagnose = diagnose
        self.replay = replay
        """Both: see `control.Daemon`."""
        self._checks = Checks(
            hub,
            dns,
            portal,
            interface=INTERFACE,
            portal_gone=self._look_again,
        )
        self._upstream = Upstream(hub, lambda: dns.upstream(INTERFACE), self._ask_others)
        self._seen = asyncio.Event()
        self._known = asyncio.Event()
        self._begun = False
        self._position: Position | None = None
        control.connect_to(self)
        dataplane.connect_to(self)

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Serve until `stop` is set; then undo all but the block and return. `ready` is called once a policy is in force."""
        async with asyncio.TaskGroup() as tasks:
            loops = [
                tasks.create_task(self._watch_network()),
                tasks.create_task(self._driver.run()),
                tasks.create_task(self._dataplane.follow()),
                tasks.create_task(self._dataplane.watch()),
                tasks.create_task(self._dataplane.protect()),
                tasks.create_task(self._watch_counters()),
                tasks.create_task(self._watch_drift()),
                *(tasks.create_task(self._hear(changes())) for changes in self._changes),
                tasks.create_task(self._watch_links()),
                tasks.create_task(self._upstream.watch(self._look_again)),
                tasks.create_task(self._checks.watch_dns()),
                tasks.create_task(self._checks.watch_portal()),
                tasks.create_task(self._dns.guard()),
                tasks.create_task(self._answer(ready)),
                *(tasks.create_task(each()) for each in self._beside),
            ]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(NETWORK_WITHIN):
                    await self._seen.wait()
            wish = self._control.wish
            # A wish whose profile is gone keeps the host closed: the core finds no such profile, and says so.
            profile = None if wish.target is TargetState.UNSECURED else wish.profile or ""
            self._driver.post(inputs.Started(profile, paused=wish.target is TargetState.PAUSED))
            self._begun = True
            await stop.wait()
            _log.info("told to end")
            await self._driver.stop()
            for loop in loops:
                loop.cancel()

    def post(self, inp: inputs.Input) -> None:
        """See `control.Daemon.post` and `dataplane.Tunnel.post`."""
        self._driver.post(inp)

    async def protection_changed(self) -> bool:
        """See `dataplane.Tunnel`."""
        await self._driver.post(inputs.ProtectionChanged()).wait()
        now = self._position
        return now is not None and (now.in_force == now.wanted or isinstance(now.in_force, Blocked))

    def in_use(self, gateway: bytes) -> None:
        """See `dataplane.Tunnel`."""
        self._runner.answered(gateway)

    def news(self) -> None:
        """See `dataplane.Tunnel`."""
        is_other, narrow = self._runner.path()
        if is_other:
            self._driver.post(inputs.Drifted(inputs.Part.HOST, "the path's MTU"))
        self._hub.set_checked("path", () if narrow is None else (warning("path_narrow", mtu=str(narrow)),))
        self._hub.set_live(self._runner.told())

    async def admit(self, errand: Errand) -> None:
        """See `enrolment.way.Admit`."""
        self._runner.errand = errand
        await self._driver.post(inputs.ErrandChanged()).wait()

    def apply_settings(self, settings: Settings) -> asyncio.Event:
        """See `control.Daemon.apply_settings`."""
        self._dns.override = settings.dns_mechanism
        self._follow_settings(settings)
        return self._driver.apply_settings(settings)

    def count(self) -> None:
        """See `control.Daemon.count`."""
        now = self._engine.counters()
        first = self._dataplane.uplink.in_use
        gateway = now.of(first)
        endpoint = None if gateway is None or gateway.endpoint is None else Endpoint(*gateway.endpoint)
        latency = None if first is None else self._dataplane.latency
        self._hub.set_stats(Stats(now.rx_bytes, now.tx_bytes, now.last_handshake, endpoint, latency))

    async def _answer(self, ready: Callable[[], None]) -> None:
        """Clients wait for the first policy: before it, nobody knows what is in force, and a guess would be a lie."""
        await self._known.wait()
        ready()
        await self._serve()

    def _publish(self, position: Position) -> None:
        self._position = position
        if not isinstance(position.state, Disconnected):
            self._control.pause_over()
        # Before the state: where the last tunnel's gateway had moved to says nothing of this one's.
        self.count()
        if position.state != self._hub.snapshot().state:
            self._checks.moved()
            self._upstream.moved()
        unguarded = self._rules.unguarded if closed(position.in_force) else None
        self._hub.set_position(
            position, self._runner.told(), self._runner.unrestored, self._runner.drifted(), unguarded
        )
        self._known.set()

    async def _watch_network(self) -> None:
        last: NetworkState | None = None
        async for network in self._monitor.changes():
            news = last is None or _way_out(network) != _way_out(last)
            _log.log(logging.INFO if news else logging.DEBUG, "network: %s", _told(network) if news else network)
            self._runner.network = network
            await self._dataplane.path.linked(network.mtu)
            if news and last is not None and network.interface is not None:
                # Before anything that may take long: the tunnel's packets have nowhere else to go meanwhile.
                await self._rebind()
            await self._upstream.look()
            self._hub.set_network(_shown(network))
            if last is None:
                self._seen.set()
            elif news and self._begun:
                self._driver.post(inputs.NetworkChanged(online=network.interface is not None))
            last = network

    def _look_again(self) -> None:
        """What connecting has waited for may be there."""
        self._driver.post(inputs.NetworkChanged(online=True))

    def _ask_others(self, resolvers: tuple[IPAddress, ...]) -> tuple[IPAddress, ...]:
        before, self._runner.upstream = self._runner.upstream, resolvers
        return before

    async def _rebind(self) -> None:
        try:
            await self._dataplane.moved()
        except EngineError as error:
            _log.warning("the engine could not follow to the new network: %s", error)

    async def _watch_drift(self) -> None:
        await self._known.wait()
        while True:
            await asyncio.sleep(DRIFT_EVERY)
            self._driver.look()

    async def _watch_links(self) -> None:
        async for _ in self._monitor.links():
            await self._rules.links_changed()

    async def _hear(self, words: AsyncIterator[str]) -> None:
        # What others have done to the rules is mended by now; the look tells of it, and mends the rest. Before the start the
        # core takes no tunnel for wanted: it would put back an open host in place of what the last helper has left closed.
        async for _ in words:
            if self._begun:
                self._driver.look()

    async def _watch_counters(self) -> None:
        while True:
            await self._hub.somebody_reads()
            self.count()
            await asyncio.sleep(STATS_EVERY)


def _shown(network: NetworkState) -> Network:
    return Network(network.interface is not None, network.interface, network.mtu, network.ssid, network.metered)


def _told(network: NetworkState) -> str:
    """For people who read the log."""
    if network.interface is None:
        return "none"
    gateways = [str(gateway) for gateway in (network.gateway4, network.gateway6) if gateway is not None]
    return f"{network.interface} by {' and '.join(gateways) or 'no gateway'}, MTU {network.mtu}"


def _way_out(network: NetworkState) -> tuple[object, ...]:
    """What decides where packets leave from; a neighbour's address or a name learnt later doesn't."""
    return (
        network.interface,
        network.gateway4,
        network.gateway6,
        network.addresses,
        network.ssid,
        network.resumed_at,
    )
