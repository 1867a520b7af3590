"""Fakes of the helper's interfaces: they note what they were told, refuse when asked to, and touch nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address

from slopn_helper.conf import parse
from slopn_helper.engine import Counters, EngineConfig, EngineEvent
from slopn_helper.host.firewall.policy import FirewallPolicy
from slopn_helper.host.netmon import NetworkState
from slopn_helper.host.routes import RouteConfig
from slopn_helper.secrets import ProfileSecrets
from slopn_helper.store import StoreError
from slopn_wire.profile import DnsConfig, IPAddress, IPNetwork, Profile
from slopn_wire.settings import Settings

HOME = NetworkState("eth0", ip_address("10.1.0.1"), addresses=(ip_address("10.1.0.2"),))
PARSED = parse(
    "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\nAddress = 10.9.0.2/32\nDNS = 10.9.0.1\n"
    "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\nEndpoint = vpn.example.org:51820\n"
    "AllowedIPs = 0.0.0.0/0, ::/0\n",
    "lab.conf",
)
PROFILE, SECRETS = PARSED.named("lab"), PARSED.secrets


class Refusing:
    """Notes calls in the order of all fakes that share `calls`; raises what `refuse` holds for a call's name."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.refuse: dict[str, Exception] = {}

    def note(self, call: str) -> None:
        """One call."""
        self.calls.append(call)
        if call in self.refuse:
            raise self.refuse[call]


class FakeFirewall(Refusing):
    """`Firewall`."""

    policy: FirewallPolicy | None = None
    persist = False
    looked_at_links = 0
    unguarded: str | None = None
    changed: str | None = None

    def __init__(self, calls: list[str]) -> None:
        super().__init__(calls)
        self.told: asyncio.Queue[str] = asyncio.Queue()

    async def apply(self, policy: FirewallPolicy, *, persist: bool) -> None:
        """As the interface."""
        self.note("firewall.apply")
        self.changed = None
        self.policy, self.persist = policy, persist

    async def drift(self) -> str | None:
        """What the test says, until the next apply."""
        return self.changed

    async def changes(self) -> AsyncIterator[str]:
        """When the test says so."""
        while True:
            yield await self.told.get()

    async def links_changed(self) -> None:
        """Counted."""
        self.looked_at_links += 1


class FakeRouter(Refusing):
    """`Router`."""

    changed: str | None = None
    config: RouteConfig | None = None
    links: tuple[tuple[IPNetwork, str], ...] = ()

    def __init__(self, calls: list[str]) -> None:
        super().__init__(calls)
        self.told: asyncio.Queue[str] = asyncio.Queue()

    async def changes(self) -> AsyncIterator[str]:
        """What the test puts into `told`."""
        while True:
            yield await self.told.get()

    async def on_link(self) -> tuple[tuple[IPNetwork, str], ...]:
        """What the test says."""
        return self.links

    async def apply(self, config: RouteConfig | None) -> None:
        """As the interface."""
        self.note("router.apply" if config else "router.remove")
        self.changed = None
        self.config = config

    async def drift(self) -> str | None:
        """What the test says, until the next apply."""
        return self.changed


class FakeDns(Refusing):
    """`DnsConfigurator`, and what the daemon needs besides."""

    name = "fake"
    supports_split = True
    finding: tuple[str, str] | None = None
    changed: str | None = None
    override: str | None = None
    config: DnsConfig | None = None
    resolvers: tuple[IPAddress, ...] = (ip_address("192.0.2.53"),)

    def __init__(self, calls: list[str]) -> None:
        super().__init__(calls)
        self.told: asyncio.Queue[str] = asyncio.Queue()

    async def apply(self, interface: str, config: DnsConfig) -> None:
        """As the interface."""
        self.note(f"dns.apply {interface}")
        self.changed = None
        self.config = config

    async def reset(self) -> None:
        """As the interface."""
        self.note("dns.reset")
        self.config = None

    async def drift(self) -> str | None:
        """What the test says, until the next apply."""
        return self.changed

    async def guard(self) -> None:
        """As the interface."""
        await asyncio.Event().wait()

    async def changes(self) -> AsyncIterator[str]:
        """When the test says so."""
        while True:
            yield await self.told.get()

    async def check(self, interface: str, config: DnsConfig, *, blocked: bool) -> tuple[str, str] | None:
        """What the test says."""
        assert interface == "slopn0"
        assert config.servers
        assert blocked
        return self.finding

    async def upstream(self, interface: str) -> tuple[IPAddress, ...]:
        """As the interface."""
        assert interface == "slopn0"
        return self.resolvers


class FakeEngine(Refusing):
    """`Engine`; a test puts its events into `queue`."""

    def __init__(self, calls: list[str]) -> None:
        super().__init__(calls)
        self.config: EngineConfig | None = None
        self.queue: asyncio.Queue[EngineEvent] = asyncio.Queue()
        self.counted = Counters()
        self.probed: dict[bytes, tuple[tuple[tuple[str, str], ...], int]] = {}
        """Whose path is measured: between which addresses, up to which size."""
        self.keys: tuple[bytes, tuple[int, ...], bool] | None = None
        """The last preshared keys by name, for whom, and whether a handshake was asked for."""

    async def apply(self, config: EngineConfig | None) -> None:
        """As the interface."""
        self.note("engine.apply" if config else "engine.stop")
        self.config = config

    async def set_preshared_keys(
        self, public_key: bytes, keys: Sequence[tuple[int, bytes | None]], *, initiate: bool = False
    ) -> None:
        """As the interface."""
        self.note("engine.keys")
        self.keys = (public_key, tuple(label for label, _ in keys), initiate)

    async def probe_path(self, public_key: bytes, targets: Sequence[tuple[str, str]], ceiling: int) -> None:
        """As the interface."""
        self.probed[public_key] = (tuple(targets), ceiling)

    async def rebind(self) -> None:
        """As the interface."""
        self.note("engine.rebind")

    def counters(self) -> Counters:
        """As the interface."""
        return self.counted

    async def events(self) -> AsyncIterator[EngineEvent]:
        """As the interface."""
        while True:
            yield await self.queue.get()


class FakeMonitor:
    """`NetworkMonitor`; a test puts networks into `queue`, and an item into `plugged` for each link."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[NetworkState] = asyncio.Queue()
        self.plugged: asyncio.Queue[None] = asyncio.Queue()
        self._now = NetworkState(None)

    def current(self) -> NetworkState:
        """As the interface."""
        return self._now

    async def changes(self) -> AsyncIterator[NetworkState]:
        """As the interface."""
        while True:
            self._now = await self.queue.get()
            yield self._now

    async def links(self) -> AsyncIterator[None]:
        """As the interface."""
        while True:
            await self.plugged.get()
            yield


class FakeBook:
    """`ProfileBook` of one profile, `lab`."""

    def __init__(self, profile: Profile = PROFILE, secrets: ProfileSecrets = SECRETS) -> None:
        self.settings = Settings()
        self._profile = profile
        self._secrets = secrets

    def profile(self, name: str) -> Profile | None:
        """As the interface."""
        return self._profile if name == self._profile.name else None

    def names(self) -> Sequence[str]:
        """As the interface."""
        return (self._profile.name,)

    def pause_left(self) -> float:
        """No pause."""
        return 0.0

    def secrets(self, name: str) -> ProfileSecrets:
        """As the interface."""
        if name != self._profile.name:
            raise StoreError("no such profile")
        return self._secrets


class FakeResolve:
    """`Resolve`: every name has `addresses`; what it was asked is in `asked`."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = tuple(map(ip_address, addresses))
        self.asked: list[tuple[str, tuple[IPAddress, ...], int | None]] = []
        self.fails: Exception | None = None

    async def __call__(
        self,
        host: str,
        resolvers: Sequence[IPAddress],
        fwmark: int | None,
        *,
        timeout: float,  # noqa: ASYNC109 - as the interface
    ) -> tuple[IPAddress, ...]:
        """As the interface."""
        assert timeout > 0
        self.asked.append((host, tuple(resolvers), fwmark))
        if self.fails is not None:
            raise self.fails
        return self.addresses
