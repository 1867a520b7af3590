"""What the engine is told while a tunnel is wanted: all gateways until one has answered, then that one alone."""

from __future__ import annotations

from ipaddress import ip_address

from msgspec.structs import replace

from slopn_helper.engine import Engine, EngineConfig, PeerConfig
from slopn_wire.profile import IPAddress


class Uplink:
    """Keeps the engine's configuration, and which of several gateways is in use. Belongs to one event loop.

    An allowed IP belongs to one peer (whitepaper, 2): the gateway in use has the profile's, the others have none. Whose
    configuration has one peer, or peers that share the networks out, is handed on as it is.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._whole: EngineConfig | None = None
        self._told: EngineConfig | None = None
        self._choose = False
        self._in_use: bytes | None = None

    @property
    def is_running(self) -> bool:
        """Whether the engine was told to run."""
        return self._whole is not None

    @property
    def peers(self) -> tuple[PeerConfig, ...]:
        """Of all gateways that may be used."""
        return () if self._whole is None else self._whole.peers

    @property
    def in_use(self) -> bytes | None:
        """The public key of the gateway that traffic goes to; of several that are all used, the first. None: none yet."""
        if self._choose:
            return self._in_use
        return next(iter(self._with_endpoint()), None)

    @property
    def spares(self) -> bool:
        """Whether there is another gateway to go to."""
        return self._in_use is not None and len(self._with_endpoint()) > 1

    def gateways(self) -> frozenset[bytes]:
        """The public keys of those whose silence together is the tunnel's end."""
        return frozenset(self._with_endpoint() if self._in_use is None else [self._in_use])

    @property
    def addresses(self) -> tuple[IPAddress, ...]:
        """All that the engine may send to."""
        ways = ((peer.endpoint, *peer.alternatives) for peer in self.peers)
        return tuple(ip_address(at[0]) for each in ways for at in each if at is not None)

    def address(self, gateway: bytes) -> tuple[str, int] | None:
        """Where a gateway's packets go by now."""
        counted = self._engine.counters().of(gateway)
        return None if counted is None else counted.endpoint

    async def start(self, config: EngineConfig, *, choose: bool, patient: bool) -> None:
        """Begin handshakes, or go on with `config`. `choose`: its peers are gateways one of which is to be used.

        `patient`: only the first is asked; the others by `ask_all`. Raises `EngineError`.
        """
        self._whole, self._choose, self._in_use = config, choose and len(config.peers) > 1, None
        if self._choose and patient:
            await self._tell(_only(config, config.peers[0].public_key))
        else:
            await self.ask_all()

    async def stop(self) -> None:
        """End the data plane. Raises `EngineError`."""
        self._whole = self._told = self._in_use = None
        await self._engine.apply(None)

    async def ask(self) -> None:
        """Have a handshake with those that the engine knows. Raises `EngineError`."""
        if self._told is not None:
            await self._tell(self._told)

    async def ask_all(self) -> None:
        """Have a handshake with every gateway. Raises `EngineError`."""
        whole = self._whole
        if whole is not None:
            peers = (self._as_used(peer, used=peer.public_key == self._in_use) for peer in whole.peers)
            await self._tell(replace(whole, peers=tuple(peers)))

    async def use(self, gateway: bytes) -> None:
        """Let this gateway have the traffic, and talk to no other. Raises `EngineError`."""
        if self._whole is None or gateway not in self._with_endpoint():
            return
        self._in_use = gateway if self._choose else None
        if self._choose and (only := _only(self._whole, gateway)) != self._told:
            await self._tell(only)

    def is_candidate(self, gateway: bytes) -> bool:
        """Whether it is one of those to choose from."""
        return self._choose and gateway in self._with_endpoint()

    def _as_used(self, peer: PeerConfig, *, used: bool) -> PeerConfig:
        return peer if used or not self._choose else replace(peer, allowed_ips=(), persistent_keepalive=None)

    def _with_endpoint(self) -> list[bytes]:
        return [peer.public_key for peer in self.peers if peer.endpoint is not None]

    async def _tell(self, config: EngineConfig) -> None:
        # What is told last holds: the engine takes one after the other, in the order in which they are asked for.
        self._told = config
        await self._engine.apply(config)


def _only(config: EngineConfig, gateway: bytes) -> EngineConfig:
    return replace(config, peers=tuple(one for one in config.peers if one.public_key == gateway))
