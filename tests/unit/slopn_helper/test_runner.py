"""Effects become calls on the host, idempotent and in order."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from ipaddress import ip_address, ip_network

import msgspec
import pytest

from slopn_helper import runner as module
from slopn_helper.engine import Counters, PeerCounters
from slopn_helper.host.firewall.policy import Blocked
from slopn_helper.host.netmon import NetworkState
from slopn_helper.runner import FWMARK, RestoreError
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
from slopn_helper.tunnel.inputs import EngineStarted, EngineStopped, HostConfigured, Part
from slopn_wire.events import Live
from slopn_wire.profile import Endpoint
from slopn_wire.settings import KillSwitchMode, Settings
from support.fakes import PROFILE, FakeBook
from support.runner_bench import Bench

ENDPOINT = Endpoint("192.0.2.1", 51820)


@pytest.mark.parametrize("mode", list(KillSwitchMode))
def test_a_policy_is_put_in_force(mode: KillSwitchMode) -> None:
    """It persists in mode always alone."""
    bench = Bench()
    bench.book.settings = Settings(kill_switch=mode)
    assert bench.run(ApplyFirewall(Blocked())) is None
    assert (bench.firewall.policy, bench.firewall.persist) == (Blocked(), mode is KillSwitchMode.ALWAYS)


def test_the_engine_is_started_with_the_profiles_keys() -> None:
    """Raw keys, the resolved endpoint, our mark, a MTU that fits the network."""
    bench = Bench()
    assert bench.run(StartEngine("lab", ((ENDPOINT,),))) == EngineStarted("slopn0")
    config = bench.engine.config
    assert config is not None
    assert len(config.private_key) == 32
    assert (config.fwmark, config.mtu) == (FWMARK, 1420)
    (peer,) = config.peers
    assert (len(peer.public_key), peer.endpoint) == (32, ("192.0.2.1", 51820))
    assert peer.allowed_ips == (ip_network("0.0.0.0/0"), ip_network("::/0"))


def test_keys_do_not_show_in_what_is_logged() -> None:
    """A configuration's repr names neither key."""
    bench = Bench()
    bench.run(StartEngine("lab", ((ENDPOINT,),)))
    assert repr(bench.engine.config) == "EngineConfig(slopn0, 1 peers)"


def test_lost_keys_are_the_profiles_fault() -> None:
    """No retry brings them back."""
    bench = Bench(book=FakeBook(msgspec.structs.replace(PROFILE, name="other")))
    with pytest.raises(ProfileError):
        bench.run(StartEngine("lab", ((ENDPOINT,),)))


@pytest.mark.parametrize(("table", "routes", "number"), [("auto", 2, None), ("off", 0, None), ("77", 2, 77)])
def test_the_host_is_configured(table: str, routes: int, number: int | None) -> None:
    """Routes before DNS; Table as wg-quick has it; what is live is known then."""
    bench = Bench(book=FakeBook(msgspec.structs.replace(PROFILE, table=table)))
    assert bench.run(ConfigureHost("lab", "slopn0")) == HostConfigured()
    assert bench.calls == ["router.apply", "dns.apply slopn0"]
    assert bench.router.config is not None
    assert (len(bench.router.config.routes), bench.router.config.table) == (routes, number)
    assert bench.runner.live == Live("slopn0", PROFILE.addresses, PROFILE.dns, 1420)


@pytest.mark.parametrize(
    ("of_profile", "of_network", "mtu"), [(None, 1500, 1420), (1300, 1500, 1300), (None, 1300, 1280)]
)
def test_the_mtu(of_profile: int | None, of_network: int, mtu: int) -> None:
    """The profile's word, else 80 below the network's, never below what IPv6 needs."""
    bench = Bench(book=FakeBook(msgspec.structs.replace(PROFILE, mtu=of_profile)))
    bench.runner.network = NetworkState("eth0", mtu=of_network)
    bench.run(ConfigureHost("lab", "slopn0"))
    assert bench.runner.live.mtu == mtu


def test_routes_know_where_the_engine_sends_to() -> None:
    """Its own packets must not be led back into the tunnel."""
    bench = Bench()
    bench.run(StartEngine("lab", ((ENDPOINT,),)))
    bench.run(ConfigureHost("lab", "slopn0"))
    assert bench.router.config is not None
    assert bench.router.config.endpoints == (ip_address("192.0.2.1"),)


def test_the_host_is_restored_whatever_fails() -> None:
    """Every part is tried, each failure is told, and nothing is live any more."""
    bench = Bench()
    bench.run(ConfigureHost("lab", "slopn0"))
    bench.calls.clear()
    bench.dns.refuse["dns.reset"] = OSError("bus gone")
    bench.left = ["files: disk full"]
    with pytest.raises(RestoreError, match="bus gone; files: disk full"):
        bench.run(RestoreHost())
    assert bench.calls == ["dns.reset", "router.remove", "restore"]
    assert bench.runner.unrestored == ("bus gone", "files: disk full")
    assert bench.runner.live == Live()
    bench.dns.refuse.clear()
    bench.left = []
    bench.run(RestoreHost())
    assert not bench.runner.unrestored


def test_the_engine_is_stopped() -> None:
    """And isn't moved to another network afterwards."""
    bench = Bench()
    bench.run(StartEngine("lab", ((ENDPOINT,),)))
    assert bench.run(StopEngine()) == EngineStopped()
    asyncio.run(bench.dataplane.moved())
    assert bench.calls == ["engine.apply", "engine.stop"]
    assert bench.dataplane.uplink.gateways() == frozenset()


def test_a_running_engine_follows_to_another_network() -> None:
    """By fresh sockets: the engine itself greets the gateway from there."""
    bench = Bench()
    bench.run(StartEngine("lab", ((ENDPOINT,),)))
    asyncio.run(bench.dataplane.moved())
    assert bench.calls == ["engine.apply", "engine.rebind"]
    assert len(bench.dataplane.uplink.gateways()) == 1


def test_names_are_asked_of_the_named_resolvers_with_the_mark() -> None:
    """The setting's resolvers, else those that the host had before us."""
    bench = Bench("192.0.2.7")
    bench.runner.upstream = (ip_address("10.1.0.1"),)
    assert asyncio.run(bench.runner.resolve(ResolveEndpoints("lab"))) == ((Endpoint("192.0.2.7", 51820),),)
    bench.book.settings = Settings(resolvers=(ip_address("192.0.2.53"),))
    asyncio.run(bench.runner.resolve(ResolveEndpoints("lab")))
    assert bench.resolve.asked == [
        ("vpn.example.org", (ip_address("10.1.0.1"),), FWMARK),
        ("vpn.example.org", (ip_address("192.0.2.53"),), FWMARK),
    ]
    assert bench.runner.context().resolvers == (ip_address("192.0.2.53"),)


def test_the_core_hears_where_to_look_for_a_portal() -> None:
    """Once connecting fails, and not before."""
    bench = Bench("192.0.2.7")
    asyncio.run(bench.runner.resolve(ResolveEndpoints("lab")))
    assert bench.runner.context().portal == ()
    asyncio.run(bench.runner.resolve(ResolveEndpoints("lab", failing=True)))
    assert bench.runner.context().portal == (ip_address("192.0.2.7"),)


def test_a_profile_that_is_gone() -> None:
    """The user must act."""
    with pytest.raises(ProfileError):
        asyncio.run(Bench().runner.resolve(ResolveEndpoints("gone")))


def test_where_the_gateway_answered_is_remembered() -> None:
    """By the name that it was found by."""
    bench = Bench("192.0.2.7")
    asyncio.run(bench.runner.resolve(ResolveEndpoints("lab")))
    key = b64decode(PROFILE.peers[0].public_key)
    bench.engine.counted = Counters(peers=(PeerCounters(key, ("192.0.2.9", 51820), None, 0, 0),))
    bench.runner.answered(key)
    assert bench.last_good.of("vpn.example.org") == (ip_address("192.0.2.9"),)


def test_a_network_in_the_tunnels_way_is_refused() -> None:
    """Before the engine is started."""
    bench = Bench()
    bench.router.links = ((ip_network("10.9.0.0/24"), "eth0"),)
    with pytest.raises(OverlapError, match=r"10\.9\.0\.1 lies in 10\.9\.0\.0/24, which eth0"):
        bench.run(StartEngine("lab", ((ENDPOINT,),)))
    assert bench.calls == []


def test_the_context_knows_every_profile() -> None:
    """Its addresses and, unless DNS is split, its resolvers."""
    facts = Bench().runner.context().profiles["lab"]
    assert (facts.addresses, facts.dns) == ((ip_address("10.9.0.2"),), (ip_address("10.9.0.1"),))


@pytest.mark.parametrize(("include", "dns"), [("10.9.0.0/24", True), ("198.51.100.0/24", False)])
def test_only_what_is_included_goes_through(include: str, dns: bool) -> None:
    """Routes for these networks alone; the profile's resolvers are set only if they are reached through the tunnel."""
    bench = Bench()
    bench.book.settings = Settings(include=(ip_network(include),), exclude=(ip_network("198.51.100.7/32"),))
    bench.run(StartEngine("lab", ((ENDPOINT,),)))
    bench.run(ConfigureHost("lab", "slopn0"))
    config = bench.router.config
    assert config is not None
    assert config.routes == (ip_network(include),)
    assert config.excluded == (ip_network("198.51.100.7/32"),)
    assert bool(bench.runner.live.dns.servers) is dns
    assert bool(bench.runner.context().profiles["lab"].dns) is dns


@pytest.mark.parametrize("effect", [SetTimer(1.0), ResolveEndpoints("lab")])
def test_the_drivers_effects_are_not_the_runners(effect: Effect) -> None:
    """A driver that hands them over is broken."""
    with pytest.raises(AssertionError):
        Bench().run(effect)


def test_a_look_that_fails_hides_nothing_of_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver's daemon that hangs, or routes that can't be read, keep nobody from seeing that the rules are gone."""
    monkeypatch.setattr(module, "LOOK_WITHIN", 0.01)
    bench = Bench()
    bench.firewall.changed = "flushed"

    async def hangs() -> str | None:
        await asyncio.Event().wait()
        return None

    async def fails() -> str | None:
        raise OSError("no netlink")

    for broken in (hangs, fails):
        monkeypatch.setattr(bench.dns, "drift", broken)
        bench.router.changed = "missing: a rule"
        found = asyncio.run(bench.runner.drift(host=True))
        assert [drifted.what for drifted in found] == ["firewall: flushed", "missing: a rule"]
    assert [drifted.part for drifted in asyncio.run(bench.runner.drift(host=False))] == [Part.FIREWALL]
