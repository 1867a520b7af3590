"""A gateway's parts wired up: what starts in which order, what runs beside, what is told of it, how it ends.

Rules first, then the interface, then devices. At the end devices go first, with the interface; the rules stay and let
nothing pass that isn't there any more, so that nothing depends on what a crash leaves.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from base64 import b64encode
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import ip_address

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from slopn_helper import __version__
from slopn_helper.engine import EngineConfig, EngineError, EngineEvent, HandshakeFlood
from slopn_helper.gateway import certificate, interface, presence, report
from slopn_helper.gateway import config as settings
from slopn_helper.gateway.agreement import Agreement
from slopn_helper.gateway.api import Api
from slopn_helper.gateway.bans import Why, allow
from slopn_helper.gateway.bans.desk import Desk
from slopn_helper.gateway.bans.lines import Refusal
from slopn_helper.gateway.certificate import Identity
from slopn_helper.gateway.config import Config
from slopn_helper.gateway.dataplane import Dataplane, Plane
from slopn_helper.gateway.forwarding import Forwarding, NoUplink
from slopn_helper.gateway.interface import Interface
from slopn_helper.gateway.ledger import Ledger
from slopn_helper.gateway.memory import Memory
from slopn_helper.gateway.net import GatewayNetError
from slopn_helper.gateway.net.network import GatewayNet
from slopn_helper.gateway.paths import Paths
from slopn_helper.gateway.presence import Presence
from slopn_helper.gateway.registry import Registry
from slopn_helper.gateway.status import GatewayStatus, Trouble
from slopn_helper.gateway.types import Enrolled, Pool
from slopn_helper.gateway.watch import Watch
from slopn_helper.host.firewall.libnft import Nft
from slopn_helper.host.journal import Journal
from slopn_helper.host.routes import RouteError
from slopn_helper.psk.sockets import open_socket
from slopn_wire.enrolment_api import Configuration
from slopn_wire.profile import IPNetwork

DAY = 86400.0
AGAIN = 5.0
"""Seconds until what doesn't work is tried once more."""
FILLED_WITHIN = 20.0
"""Seconds that the start waits for the registry. Without it nobody is let in yet, but it's up."""

_log = logging.getLogger(__name__)


class Server:
    """One gateway at work. Belongs to one event loop."""

    def __init__(self, config: Config, paths: Paths, private: bytes, identity: Identity, engine: Plane) -> None:
        """`private`: the WireGuard key. `engine`: stopped."""
        self._config = config
        self._since = time.time()
        self._identity = identity
        self._engine = engine
        self._troubles: dict[str, str] = {}
        self._journal = Journal(paths.journal)
        interface.forget_others(self._journal)
        name = config.wireguard.interface
        self._registry = Registry(config.database.url, os.urandom)
        self._ledger = Ledger(
            self._registry,
            settings.lent(config.pools),
            time.time,
            keep=config.devices.keep_revoked_days * DAY,
            # SQLite's file is here itself.
            memory=None if self._registry.database.is_sqlite else Memory(paths.memory, time.time),
        )
        self._interface = Interface(name, self._journal)
        self._net = GatewayNet(self._journal)
        self._forwarding = Forwarding(self._net, config, self._ledger.pools, partial(interface.uplinks, name))
        self._watch = Watch(
            self.status, port=config.watch.port, socket=paths.admin_socket, per_device=config.watch.per_device
        )
        self._dataplane = Dataplane(
            engine,
            EngineConfig(name, private, (), mtu=interface.MTU, listen_port=config.wireguard.port),
            self._registry.settle,
            meter=self._watch.meter,
            clock=time.time,
            made=self._made,
            tell=self._tell,
            changed=self._changed,
        )
        self._agreement = Agreement(self._dataplane.roster, engine, private, os.urandom)
        public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        self._presence = Presence(self._registry, presence.itself(config, public, identity.pin, self._since), time.time)
        self._desk = Desk(Nft, self._allowed, time.time, enabled=config.bans.enabled)
        self._api = self._new_api()
        self._tasks = asyncio.TaskGroup()

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Serve until `stop` is set. `ready` is called once devices are let in, or the registry doesn't answer in time.

        Raises `GatewayNetError`, `EngineError`, `RouteError`, `RegistryError`, `OSError`: then nobody was let in.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                work = tasks.create_task(self._work(ready))
                await stop.wait()
                _log.info("told to end")
                work.cancel()
        except BaseExceptionGroup as errors:
            raise first(errors) from None
        finally:
            await self._end()

    async def _work(self, ready: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._kept("watch", self._watch.run))
            await self._ledger.create()
            await self._forward()
            await self._dataplane.start()
            self._desk.start()
            for each in self._loops():
                tasks.create_task(each)
            with suppress(TimeoutError):
                async with asyncio.timeout(FILLED_WITHIN):
                    await self._dataplane.filled()
            ready()

    async def status(self) -> GatewayStatus:
        """How it is now."""
        now = time.time()
        pools = report.pools(self._ledger.lent, self._ledger.pools)
        try:
            counts = await self._net.counts()
        except GatewayNetError as error:
            self._forwarding.complain(error)
            counts = {}
        own = self._presence.own
        troubles = tuple(self._all_troubles(now, report.pool_troubles(pools)))
        return GatewayStatus(
            version=__version__,
            since=self._since,
            id=own.id,
            endpoint=own.endpoint,
            public_key=b64encode(own.public_key).decode(),
            interface=self._config.wireguard.interface,
            peers=report.peers(self._dataplane.roster, self._engine.counters(), self._agreement.protected, now),
            pools=pools,
            refused_packets={str(why): count.packets for why, count in counts.items()},
            bans=self._desk.in_force,
            trouble=troubles,
            serving=self._dataplane.trouble is None and self._forwarding.trouble is None,
            enrolling=self._api.listening.is_set() and self._presence.trouble is None,
        )

    async def describe(self, enrolled: Enrolled) -> Configuration:
        """What a device must know to connect."""
        return presence.configuration(enrolled, self._presence.told(), self._ledger.pools, self._config)

    def _loops(self) -> Sequence[Coroutine[None, None, None]]:
        return (
            self._dataplane.run(),
            self._dataplane.listen(),
            self._dataplane.settle(),
            self._dataplane.follow(self._ledger.updates()),
            self._forwarding.keep(),
            self._keep_interface(),
            self._presence.run(),
            self._ledger.remember(),
            self._ledger.tidy(),
            self._ledger.count(self._lend),
            self._kept("enrolment", self._run_api),
        )

    async def _forward(self) -> None:
        """The rules, before there is an interface. A network that isn't there yet is waited for."""
        while True:
            try:
                await self._forwarding.lend(self._ledger.pools)
            except NoUplink as error:
                self._forwarding.complain(error)
                await asyncio.sleep(AGAIN)
            else:
                return

    async def _made(self) -> None:
        """The engine has made its interface."""
        await self._interface.apply(interface.addresses(self._ledger.pools))
        await self._forwarding.interface_made()
        name = self._interface.name
        sockets = [open_socket(name, str(address.ip)) for address in self._interface.addresses]
        await self._agreement.open(sockets, self._tasks)

    async def _lend(self, pools: Sequence[Pool]) -> None:
        """Another gateway has added pools: rules and addresses for them, too."""
        try:
            await self._forwarding.lend(pools)
            await self._made()
        except (GatewayNetError, RouteError, OSError) as error:
            _log.error("%s", error)

    async def _keep_interface(self) -> None:
        """Put back addresses and MTU that others change. An interface that is gone is the engine's to tell."""
        while True:
            await asyncio.sleep(AGAIN)
            try:
                if (difference := await self._interface.drift()) is not None and not self._dataplane.down:
                    _log.warning("%s: it is put right", difference)
                    await self._made()
            except (RouteError, OSError) as error:
                _log.error("%s", error)

    async def _tell(self, event: EngineEvent) -> None:
        if isinstance(event, HandshakeFlood):
            host, port = event.endpoint
            self._watch.meter.refused(Why.HANDSHAKE_FLOOD)
            self._desk.refused(Refusal(ip_address(host), Why.HANDSHAKE_FLOOD, port, proven=event.proven))
        await self._agreement.event(event)

    def _changed(self) -> None:
        self._agreement.prune()

    async def _kept(self, code: str, start: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run what tunnels don't depend on; if it ends, say so and begin again."""
        while True:
            self._troubles.pop(code, None)
            try:
                await start()
            except Exception as error:  # noqa: BLE001 - whatever ails it, tunnels don't end for it
                expected = isinstance(error, OSError) or type(error).__module__.startswith("slopn_")
                self._troubles[code] = str(error) or type(error).__name__
                _log.error("%s: %s", code, self._troubles[code], exc_info=not expected)
            await asyncio.sleep(AGAIN)

    async def _run_api(self) -> None:
        self._api = self._new_api()
        await self._api.run()

    def _new_api(self) -> Api:
        return Api(
            self._registry,
            self._identity,
            listen=self._config.enrolment.listen,
            port=self._config.enrolment.port,
            describe=self.describe,
            refused=self._desk.refused,
            meter=self._watch.meter,
            clock=time.time,
            chance=os.urandom,
            lifetime=self._config.devices.lifetime_days * DAY,
        )

    def _allowed(self) -> tuple[IPNetwork, ...]:
        """Whom no ban keeps out; called in the desk's thread."""
        own = [address.ip for address in asyncio.run(interface.own_addresses())]
        administrators = set(allow.logged_in())
        if (peer := allow.ssh_peer(os.environ)) is not None:
            administrators.add(peer)
        # A device is revoked, not banned: all of them share one /64, which Fail2Ban would keep out for the fault of one.
        pools = (pool.network for pool in self._ledger.pools)
        return allow.networks((*self._config.bans.allow, *pools), own, administrators)

    def _all_troubles(self, now: float, pools: Iterable[Trouble]) -> Iterator[Trouble]:
        told = {
            **self._troubles,
            "engine": self._dataplane.trouble,
            "database": self._ledger.trouble or self._presence.trouble,
            "network_rules": self._forwarding.trouble,
            "bans": self._desk.trouble,
            "certificate": certificate.problem(self._identity, now),
        }
        yield from (Trouble(code, message) for code, message in told.items() if message is not None)
        yield from pools
        yield from report.clock_trouble(self._dataplane.roster, now)

    async def _end(self) -> None:
        """Devices first. The rules stay, and the forwarding, which others may rely on by now."""
        with suppress(EngineError):
            await self._dataplane.stop()
            self._interface.gone()
        await self._agreement.close()
        await asyncio.to_thread(self._desk.close)
        self._net.close()
        await self._registry.close()


def first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error in it that came first."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
