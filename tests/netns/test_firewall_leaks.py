"""What gets out while something breaks: counted at the router's end of every cable, first without the kill switch."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import Self

import pytest

from slopn_helper.host.firewall import FirewallPolicy, Open
from slopn_helper.host.journal import Journal
from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.linux import LinuxRouter
from support.capture import Capture, Tally
from support.firewall import FirewallProcess, HostFirewall, blocked, supports_owned_tables, tunnelled
from support.gateway import CLIENT4, CLIENT6
from support.generator import CLASSES, Generator
from support.topology import ETH0, UPLINKS, Lab
from support.toy_tunnel import INTERFACE, MARK, ToyTunnel
from support.until import until

ROUTES = RouteConfig(
    INTERFACE,
    (ip_interface(f"{CLIENT4}/32"), ip_interface(f"{CLIENT6}/128")),
    (ip_network("0.0.0.0/0"), ip_network("::/0")),
    1380,
    MARK,
)
SHORT, LONG = 0.4, 1.2
"""Seconds for which the generator sends beside each fault: in `make test`, and in `make leak`."""

ROGUE_PREFIX = "2001:db8:abcd::"


@dataclass
class World:
    """A connected client: tunnel up, everything routed into it, a capture on both cables."""

    lab: Lab
    tunnel: ToyTunnel
    capture: Capture
    directory: Path
    owned: bool = True
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        self.firewall = self._stack.enter_context(HostFirewall(self.lab.client, self.directory, owned=self.owned))
        self.router = LinuxRouter(Journal(self.directory / "routes"))
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            self.firewall.apply(Open())
            with self.lab.client.entered():
                asyncio.run(self.router.apply(None))

    def connect(self) -> None:
        """Give the tunnel's device, perhaps a new one, its addresses and routes."""
        with self.lab.client.entered():
            asyncio.run(self.router.apply(ROUTES))

    def leaks(self, act: Callable[[World], None], undo: Callable[[World], None], seconds: float) -> Tally:
        """What leaks while the generator sends, for `seconds` from before `act`, and for as long as `act` takes."""
        self.capture.reset()
        with Generator(self.lab.client, self.lab.uplinks, rounds_per_second=100, seconds=seconds) as generator:
            act(self)
            until(lambda: not generator.running, seconds + 20, "the generator has sent its rounds")
            undo(self)
            assert generator.stop()["udp"] >= 5, "the generator hardly sent"
        return self.capture.reset()


Step = Callable[[World], None]


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, and how it is put right."""

    name: str
    act: Step
    undo: Step = lambda _: None


def nothing(_: World) -> None:
    """No fault at all."""


def tunnel_again(world: World) -> None:
    """A new device in place of the one that went."""
    world.tunnel.stop()
    world.tunnel.start()
    world.connect()


def flap(world: World) -> None:
    """The cable is pulled and plugged in again."""
    world.lab.pull("eth0")
    world.lab.plug("eth0")


def new_address(world: World) -> None:
    """Another lease on the same network."""
    world.lab.client.ip(f"""
        addr add 10.1.0.77/24 dev eth0
        addr del {ETH0.client4}/24 dev eth0
        addr replace 10.1.0.77/24 dev eth0
        route replace default via {ETH0.router4} dev eth0 metric 1
        addr del {ETH0.client6}/64 dev eth0
        addr add 2001:db8:1::77/64 dev eth0 nodad
        route replace default via {ETH0.router6} dev eth0 metric 1
    """)


def old_address(world: World) -> None:
    """The first lease again."""
    world.lab.client.ip("route flush dev eth0 proto boot\naddr flush dev eth0 scope global")
    world.lab.client.ip(ETH0.configure())


def rogue_router(world: World) -> None:
    """Router advertisements with a prefix and a default route of somebody else's; the host takes them."""
    advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0x08, 1800, 0, 0)
    prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 3600, 3600, 0, socket.inet_pton(socket.AF_INET6, ROGUE_PREFIX))

    def taken() -> bool:
        with world.lab.router.entered(), socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58) as sock:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("r-eth0"))
            sock.sendto(advertisement + prefix, ("ff02::1", 0))
        return ROGUE_PREFIX.rstrip(":") in world.lab.client.run("ip -6 addr show dev eth0").stdout

    until(taken, 10.0, "the client has an address of the rogue router's")


def no_rogue_router(world: World) -> None:
    """What the advertisements left goes."""
    world.lab.client.run("ip -6 route flush dev eth0 proto ra; ip -6 addr flush dev eth0 scope global dynamic")


def pushed_routes(world: World) -> None:
    """TunnelVision: a DHCP server pushes routes that are more specific than the default."""
    world.lab.client.ip(f"""
        route add 0.0.0.0/1 via {ETH0.router4}
        route add 128.0.0.0/1 via {ETH0.router4}
        route add 2000::/3 via {ETH0.router6}
        route add 198.51.100.0/24 via {ETH0.router4}
    """)


def no_pushed_routes(world: World) -> None:
    """The lease ends."""
    world.lab.client.ip("""
        route del 0.0.0.0/1
        route del 128.0.0.0/1
        route del 2000::/3
        route del 198.51.100.0/24
    """)


def other_default(world: World) -> None:
    """The default route changes to the other uplink."""
    world.lab.client.ip(f"route add default via {UPLINKS['wlan0'].router4} dev wlan0 metric 1")


def first_default(world: World) -> None:
    """And back."""
    world.lab.client.ip(f"route del default via {UPLINKS['wlan0'].router4} dev wlan0 metric 1")


def client_ip(*commands: str) -> Step:
    """ip(8) in the client's namespace."""
    return lambda world: world.lab.client.ip("\n".join(commands))


FAULTS = [
    Fault("nothing", nothing),
    Fault("tunnel killed", lambda world: world.tunnel.stop(), tunnel_again),
    Fault("TUN deleted", client_ip(f"link del {INTERFACE}"), tunnel_again),
    Fault("TUN down", client_ip(f"link set {INTERFACE} down"), tunnel_again),
    Fault("rules and routes flushed", client_ip("rule flush", "-6 rule flush"), World.connect),
    Fault("underlay flap", flap),
    Fault("underlay pulled", lambda world: world.lab.pull("eth0"), lambda world: world.lab.plug("eth0")),
    Fault("default route changed", other_default, first_default),
    Fault("pushed routes", pushed_routes, no_pushed_routes),
    Fault("new address", new_address, old_address),
    Fault("rogue router", rogue_router, no_rogue_router),
]
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
