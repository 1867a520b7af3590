from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network

from msgspec.structs import replace

from slopn_helper.engine import EngineConfig, PeerConfig
from slopn_helper.uplink import Uplink
from support.fakes import FakeEngine

EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))
A, B = (
    PeerConfig(
        bytes([n]) * 32, EVERYTHING, (f"192.0.2.{n}", 51820), persistent_keepalive=25, alternatives=(("::1", n),)
    )
    for n in (1, 2)
)
CONFIG = EngineConfig("slopn0", bytes(32), (A, B))


def bare(peer: PeerConfig) -> PeerConfig:
    """One that has no traffic."""
    return replace(peer, allowed_ips=(), persistent_keepalive=None)


class Bench:
    """An uplink on a fake engine."""

    def __init__(self) -> None:
        self.engine = FakeEngine([])
        self.uplink = Uplink(self.engine)

    def peers(self) -> tuple[PeerConfig, ...]:
        """What the engine was told last."""
        assert self.engine.config is not None
        return self.engine.config.peers

    def start(self, config: EngineConfig = CONFIG, *, choose: bool = True, patient: bool = False) -> None:
        """Begin."""
        asyncio.run(self.uplink.start(config, choose=choose, patient=patient))


def test_all_are_asked_and_one_is_used() -> None:
    """Nobody has a network until one has answered; then it has them all, and the others are let go."""
    bench = Bench()
    bench.start()
    assert bench.peers() == (bare(A), bare(B))
    assert (bench.uplink.in_use, bench.uplink.spares) == (None, False)
    assert bench.uplink.gateways() == {A.public_key, B.public_key}
    asyncio.run(bench.uplink.use(B.public_key))
    assert bench.peers() == (B,)
    assert (bench.uplink.in_use, bench.uplink.spares) == (B.public_key, True)
    assert bench.uplink.gateways() == {B.public_key}
    assert bench.uplink.addresses == tuple(map(ip_address, ("192.0.2.1", "::1", "192.0.2.2", "::1")))


def test_the_first_has_a_head_start() -> None:
    """If it answers, the engine isn't told anything more; else the others are asked as well."""
    bench = Bench()
    bench.start(patient=True)
    assert bench.peers() == (A,)
    asyncio.run(bench.uplink.use(A.public_key))
    assert bench.engine.calls == ["engine.apply"]
    bench.start(patient=True)
    asyncio.run(bench.uplink.ask_all())
    assert bench.peers() == (bare(A), bare(B))


def test_others_are_asked_while_one_is_used() -> None:
    """It keeps its networks meanwhile, and they move to the one that takes its place."""
    bench = Bench()
    bench.start()
    asyncio.run(bench.uplink.use(A.public_key))
    asyncio.run(bench.uplink.ask_all())
    assert bench.peers() == (A, bare(B))
    asyncio.run(bench.uplink.use(B.public_key))
    assert bench.peers() == (B,)


def test_peers_that_share_the_networks_out_are_all_used() -> None:
    """As a file may have them: nothing is chosen."""
    bench = Bench()
    bench.start(choose=False)
    assert bench.peers() == (A, B)
    assert bench.uplink.in_use == A.public_key
    assert not bench.uplink.is_candidate(B.public_key)
    asyncio.run(bench.uplink.use(B.public_key))
    assert bench.engine.calls == ["engine.apply"]


def test_a_stranger_is_never_used() -> None:
    """An answer of the tunnel before, say."""
    bench = Bench()
    bench.start()
    asyncio.run(bench.uplink.use(bytes(32)))
    assert bench.uplink.in_use is None


def test_stopped_there_is_nothing_to_ask() -> None:
    """Nor anybody in use."""
    bench = Bench()
    bench.start()
    asyncio.run(bench.uplink.stop())
    asyncio.run(bench.uplink.ask())
    asyncio.run(bench.uplink.ask_all())
    asyncio.run(bench.uplink.use(A.public_key))
    assert bench.engine.calls == ["engine.apply", "engine.stop"]
    assert (bench.uplink.in_use, bench.uplink.is_running, bench.uplink.gateways()) == (None, False, frozenset())
