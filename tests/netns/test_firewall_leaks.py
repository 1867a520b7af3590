"""What gets out while something breaks: counted at the router's end of every cable, first without the kill switch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_helper.host.firewall import FirewallPolicy, Open
from support.capture import Capture
from support.faults import FAULTS, Fault, Step, World, nothing, tunnel_again
from support.firewall import FirewallProcess, HostFirewall, blocked, supports_owned_tables, tunnelled
from support.generator import CLASSES, Generator
from support.topology import Lab
from support.toy_tunnel import ToyTunnel
from support.until import until

SHORT, LONG = 0.4, 1.2
"""Seconds for which the generator sends beside each fault: in `make test`, and in `make leak`."""


SAMPLE = {"nothing", "TUN deleted", "underlay flap", "rogue router"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab with both uplinks; the client takes router advertisements as a desktop does."""
    with Lab() as made:
        made.client.sysctl({f"net/ipv6/conf/{name}/accept_ra": "2" for name in ("all", "eth0")})
        yield made


@pytest.fixture(scope="module")
def tunnel(lab: Lab) -> Iterator[ToyTunnel]:
    """The tunnel's two ends."""
    with ToyTunnel(lab.client, lab.gateway) as made:
        yield made


@pytest.fixture(scope="module")
def capture(lab: Lab) -> Iterator[Capture]:
    """All that the client sends, on both cables."""
    with lab.capture() as made:
        yield made


@pytest.fixture
def world(lab: Lab, tunnel: ToyTunnel, capture: Capture, tmp_path: Path) -> Iterator[World]:
    """A connected client with an open firewall."""
    with World(lab, tunnel, capture, tmp_path) as made:
        yield made


def check(world: World, fault: Fault, policy: FirewallPolicy, seconds: float) -> None:
    """The fault leaks in the open, and nothing under `policy`."""
    world.firewall.apply(Open())
    tally = world.leaks(fault.act, fault.undo, SHORT)
    assert tally.total > 0, "the positive control: without the kill switch this must leak"
    world.firewall.apply(policy)
    tally = world.leaks(fault.act, fault.undo, seconds)
    assert tally.total == 0, f"{fault.name}: {tally} {tally.samples}"
    assert world.firewall.drift() is None


def test_the_generator_and_the_capture_see_every_class(world: World) -> None:
    """Without tunnel and kill switch each class of leak is counted: no zero below comes from a blind capture."""
    with world.lab.client.entered():
        asyncio.run(world.router.apply(None))
    tally = world.leaks(nothing, nothing, 1.0)
    assert set(tally.leaks) >= CLASSES


@pytest.mark.leak
@pytest.mark.parametrize("fault", [f for f in FAULTS if f.name in SAMPLE], ids=lambda fault: fault.name)
def test_tunnelled_a_sample(world: World, fault: Fault) -> None:
    """Connected, and something breaks: nothing leaks before, during, or while it is put right."""
    check(world, fault, tunnelled(), SHORT)


@pytest.mark.leak
@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_tunnelled_all_faults(world: World, fault: Fault) -> None:
    """Every fault while connected, for longer."""
    check(world, fault, tunnelled(), LONG)


@pytest.mark.leak
@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_blocked_all_faults(world: World, fault: Fault) -> None:
    """Every fault while the tunnel is still being made."""
    check(world, fault, blocked(), LONG)


@pytest.mark.leak
def test_blocked_steady(world: World) -> None:
    """No tunnel and no fault: the plain block."""
    check(world, FAULTS[0], blocked(), SHORT)


@pytest.mark.leak
@pytest.mark.parametrize("policy", [blocked(allow_lan=True), tunnelled(allow_lan=True)], ids=["blocked", "tunnelled"])
def test_allow_lan_lets_out_the_lan_and_no_more(world: World, policy: FirewallPolicy) -> None:
    """Private addresses and multicast pass, but no DNS and nothing to the internet."""
    world.firewall.apply(policy)
    strict = world.leaks(nothing, nothing, SHORT)
    assert strict.total > 0, "the positive control: for the strict capture the LAN is a leak"
    with world.lab.capture(allow_lan=True) as capture:
        world.capture, usual = capture, world.capture
        tally = world.leaks(nothing, nothing, SHORT)
        world.capture = usual
    assert tally.total == 0, f"{tally} {tally.samples}"


@pytest.mark.leak
def test_must_1_the_first_policy_closes_when_apply_returns(world: World) -> None:
    """While everything is being sent: leaks before, none from the moment `apply` has returned."""
    with Generator(world.lab.client, world.lab.uplinks, rounds_per_second=100) as generator:
        until(lambda: world.capture.tally().total > 100, 10.0, "it leaks")
        world.firewall.apply(blocked())
        world.capture.reset()
        sent = world.lab.client.run("cat /proc/net/snmp /proc/net/snmp6").stdout
        until(
            lambda: world.lab.client.run("cat /proc/net/snmp /proc/net/snmp6").stdout != sent, 10.0, "it goes on trying"
        )
        assert generator.running
    tally = world.capture.reset()
    assert tally.total == 0, f"{tally} {tally.samples}"


def swap(times: int) -> Step:
    """So many swaps between blocked and tunnelled."""

    def swapping(world: World) -> None:
        for number in range(times):
            world.firewall.apply(blocked() if number % 2 else tunnelled())

    return swapping


@pytest.mark.leak
@pytest.mark.parametrize("owned", [True, False], ids=["owned", "plain"])
def test_must_1_swaps_are_atomic_a_sample(
    lab: Lab, tunnel: ToyTunnel, capture: Capture, tmp_path: Path, owned: bool
) -> None:
    """20 swaps under full fire, none of which opens; in both kinds of table."""
    with World(lab, tunnel, capture, tmp_path, owned=owned) as world:
        assert world.leaks(nothing, nothing, SHORT).total > 0, "the positive control"
        world.firewall.apply(blocked())
        tally = world.leaks(swap(20), nothing, 1.0)
        assert tally.total == 0, f"{tally} {tally.samples}"


@pytest.mark.leak
@pytest.mark.long
@pytest.mark.parametrize("owned", [True, False], ids=["owned", "plain"])
def test_must_1_swaps_are_atomic(lab: Lab, tunnel: ToyTunnel, capture: Capture, tmp_path: Path, owned: bool) -> None:
    """100 swaps; and the positive control: removing and applying by turns does leak."""
    with World(lab, tunnel, capture, tmp_path, owned=owned) as world:

        def flush_then_apply(world: World) -> None:
            for _ in range(20):
                world.firewall.apply(Open())
                world.firewall.apply(blocked())

        world.firewall.apply(blocked())
        assert world.leaks(flush_then_apply, nothing, 1.0).total > 0
        tally = world.leaks(swap(100), nothing, 4.0)
        assert tally.total == 0, f"{tally} {tally.samples}"


def foreign_flush(world: World) -> None:
    """What another firewall's start-up script does, several times."""
    for _ in range(5):
        world.lab.client.run("nft flush ruleset")


@pytest.mark.leak
def test_must_14_a_foreign_flush_opens_nothing(world: World, tmp_path: Path) -> None:
    """`nft flush ruleset` opens a host with a plain table; an owned one it doesn't touch (Linux 6.9 and newer)."""
    with HostFirewall(world.lab.client, tmp_path, owned=False) as plain:
        plain.apply(blocked())
        assert world.leaks(foreign_flush, nothing, SHORT).total > 0, "the positive control"
    world.firewall.apply(blocked())
    tally = world.leaks(foreign_flush, nothing, SHORT)
    assert (tally.total == 0) is supports_owned_tables(), f"{tally} {tally.samples}"


@pytest.mark.leak
def test_must_12_sigkill_of_the_helper_opens_nothing(world: World, tmp_path: Path) -> None:
    """The process that applied the policy is killed, and a new one takes over: nothing leaks at any moment."""
    assert world.leaks(nothing, nothing, SHORT).total > 0, "the positive control"
    holder = FirewallProcess(world.lab.client, tmp_path / "holder")
    assert holder.apply(tunnelled()) is None

    def killed_and_adopted(world: World) -> None:
        world.tunnel.stop()
        holder.kill()
        world.firewall.apply(blocked())

    tally = world.leaks(killed_and_adopted, tunnel_again, SHORT)
    assert tally.total == 0, f"{tally} {tally.samples}"
