"""The wires: what happens on the host reaches the core, what the core does reaches the hub."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest

from slopn_helper import daemon as module
from slopn_helper.engine import Counters, EngineDown, EngineError, HandshakeDone, HandshakeStale, PeerCounters
from slopn_helper.host.netmon import NetworkState
from slopn_helper.tunnel.inputs import Drifted, Part
from slopn_helper.tunnel.machine import step
from slopn_wire.commands import ApplySettings, Connect
from slopn_wire.events import PolicyKind, Snapshot, Stats
from slopn_wire.profile import Endpoint
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connected, Connecting, Disconnected, ErrorCause, ErrorState, Step, TargetState
from support.aio import in_loop
from support.daemon import CAFE, running
from support.fakes import (
    HOME,
)
from support.until import until_async


@in_loop
async def test_up(tmp_path: Path) -> None:
    """From a command to a tunnel, as the hub tells it."""
    async with running(tmp_path) as helper:
        await helper.reaches(lambda s: isinstance(s, Disconnected), "disconnected")
        await helper.connect()
        snapshot = helper.hub.snapshot()
        assert (snapshot.policy, snapshot.live.interface) == (PolicyKind.TUNNELLED, "slopn0")
        assert snapshot.network.interface == "eth0"
    assert helper.resolve.asked[0][1] == helper.dns.resolvers


@in_loop
async def test_the_hosts_resolvers_are_those_of_now(tmp_path: Path) -> None:
    """Another one that is there when a name is needed is asked, and one that comes when none was found, at once."""
    async with running(tmp_path) as helper:
        await helper.reaches(lambda s: isinstance(s, Disconnected), "disconnected")
        helper.resolve.fails = OSError("no such name")
        helper.dns.resolvers = (ip_address("192.0.2.54"),)
        await helper.ask(Connect("lab"))
        await until_async(
            lambda: helper.resolve.asked[-1:] and helper.resolve.asked[-1][1] == helper.dns.resolvers, 1, ""
        )
        await helper.at(Step.WAITING)
        helper.resolve.fails = None
        helper.dns.resolvers = (ip_address("192.0.2.55"),)
        await helper.at(Step.HANDSHAKE)
        assert helper.resolve.asked[-1][1] == helper.dns.resolvers


@in_loop
async def test_the_wish_survives(tmp_path: Path) -> None:
    """A helper that ends while connected leaves the block, and the next one connects by itself."""
    async with running(tmp_path) as helper:
        await helper.connect()
    assert helper.hub.snapshot().state == ErrorState(ErrorCause.STOPPED, "lab")
    assert helper.hub.snapshot().policy is PolicyKind.BLOCKED
    async with running(tmp_path) as again:
        await again.at(Step.HANDSHAKE)
        assert again.hub.snapshot().target is TargetState.SECURED


@in_loop
async def test_every_step_is_noted(tmp_path: Path) -> None:
    """State, input, settings, facts, state: what the flight recorder keeps."""
    async with running(tmp_path) as helper:
        await helper.connect()
    for before, inp, settings, facts, after in helper.noted:
        assert step(before, inp, settings, facts).state == after
    assert isinstance(helper.noted[-1][-1], ErrorState)


@in_loop
async def test_a_wish_without_its_profile_keeps_the_host_closed(tmp_path: Path) -> None:
    """As after a damaged file: nobody may find the host open who wanted it closed."""
    (tmp_path / "wish.json").write_text("{", encoding="ascii")
    async with running(tmp_path) as helper:
        await helper.reaches(lambda s: s == ErrorState(ErrorCause.BAD_PROFILE, "", blocking=True), "bad profile")


@in_loop
async def test_another_network(tmp_path: Path) -> None:
    """The engine follows, the tunnel stays; news that don't change the way out are no reason."""
    async with running(tmp_path) as helper:
        await helper.connect()
        helper.monitor.queue.put_nowait(msgspec.structs.replace(HOME, gateway_mac="02:00:00:00:00:01"))
        helper.monitor.queue.put_nowait(CAFE)
        await until_async(lambda: helper.calls[-1:] == ["engine.rebind"], 10, "followed")
        await until_async(lambda: helper.hub.snapshot().network.interface == "wlan0", 10, "told")
        assert isinstance(helper.hub.snapshot().state, Connected)
    assert helper.calls.count("engine.rebind") == 1


@in_loop
async def test_no_network_and_back(tmp_path: Path) -> None:
    """Connected is not claimed meanwhile; an engine that can't follow doesn't end the helper."""
    async with running(tmp_path) as helper:
        await helper.connect()
        helper.monitor.queue.put_nowait(NetworkState(None))
        await helper.at(Step.WAITING)
        helper.engine.refuse["engine.rebind"] = EngineError("no socket")
        helper.monitor.queue.put_nowait(CAFE)
        await helper.at(Step.HANDSHAKE)


@in_loop
async def test_a_silent_gateway(tmp_path: Path) -> None:
    """The only one's silence is the tunnel's end; a stranger's is not."""
    async with running(tmp_path) as helper:
        await helper.connect()
        helper.engine.queue.put_nowait(HandshakeStale(b"\0" * 32))
        helper.engine.queue.put_nowait(HandshakeDone(helper.peer))
        helper.engine.queue.put_nowait(HandshakeStale(helper.peer))
        await helper.at(Step.HANDSHAKE)
        state = helper.hub.snapshot().state
        assert isinstance(state, Connecting)
        assert (state.attempt, state.cause) == (1, ErrorCause.STALE)


@in_loop
async def test_an_engine_that_ends(tmp_path: Path) -> None:
    """By itself: connect again. Because it was told to: nothing."""
    async with running(tmp_path) as helper:
        await helper.connect()
        helper.engine.queue.put_nowait(EngineDown(None))
        helper.engine.queue.put_nowait(EngineDown("TUN deleted"))
        await helper.at(Step.HANDSHAKE)


@in_loop
async def test_whoever_asks_hears_the_counters_of_now(tmp_path: Path) -> None:
    """The engine isn't asked while nobody looks; a snapshot and a watch begin with the numbers of that moment."""
    async with running(tmp_path) as helper:
        helper.engine.counted = Counters(10, 20, 3.0)
        assert helper.control.snapshot().stats == Stats(10, 20, 3.0)
        helper.engine.counted = Counters(11, 21, 3.0)
        with helper.control.subscribe() as watch:
            assert isinstance(watch.first, Snapshot)
            assert watch.first.stats == Stats(11, 21, 3.0)


@in_loop
async def test_the_first_gateways_address_is_told_as_it_is_now(tmp_path: Path) -> None:
    """It may have moved since it was resolved; other peers' addresses don't count."""
    async with running(tmp_path) as helper:
        await helper.connect()
        config = helper.engine.config
        assert config is not None
        first = next(peer.public_key for peer in config.peers if peer.endpoint is not None)
        other = PeerCounters(bytes(32), ("192.0.2.99", 9), None, 0, 0)
        helper.engine.counted = Counters(peers=(other, PeerCounters(first, ("2001:db8::7", 7), None, 0, 0)))
        assert helper.control.snapshot().stats.endpoint == Endpoint("2001:db8::7", 7)
        helper.engine.counted = Counters(peers=(other,))
        assert helper.control.snapshot().stats.endpoint is None


@in_loop
async def test_watchers_are_told_the_counters(tmp_path: Path) -> None:
    """As they grow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STATS_EVERY", 0.001)
        async with running(tmp_path) as helper:
            with helper.control.subscribe() as watch:
                helper.engine.counted = Counters(10, 20, 3.0)
                frames = (await watch.batch()).frames
    assert b'"rx_bytes":10,"tx_bytes":20,"last_handshake":3.0' in frames


@in_loop
async def test_settings_reach_firewall_and_dns(tmp_path: Path) -> None:
    """At once."""
    async with running(tmp_path) as helper:
        settings = Settings(kill_switch=KillSwitchMode.ALWAYS, dns_mechanism="resolv_conf")
        await helper.ask(ApplySettings(settings))
        assert helper.hub.snapshot().policy is PolicyKind.BLOCKED, "the answer must not come before the change"
        assert helper.dns.override == "resolv_conf"
        assert helper.followed == [settings]


@in_loop
async def test_the_key_of_a_tunnel_is_the_cores_business(tmp_path: Path) -> None:
    """It is told, and whoever tells it hears when the policy has followed, or that it was refused."""
    async with running(tmp_path) as helper:
        await helper.connect()
        assert await helper.daemon.protection_changed()
        helper.firewall.refuse["firewall.apply"] = OSError("no")
        helper.firewall.changed = "flushed"
        helper.daemon.post(Drifted(Part.FIREWALL))
        assert not await helper.daemon.protection_changed()
        helper.firewall.refuse.clear()
