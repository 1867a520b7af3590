"""What may go wrong on a connected client, and how much of its traffic leaks meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import Protocol, Self

from slopn_helper.host.firewall import Open
from slopn_helper.host.journal import Journal
from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.linux import LinuxRouter
from support.capture import Capture, Tally
from support.firewall import HostFirewall
from support.gateway import CLIENT4, CLIENT6
from support.generator import Generator
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
ROGUE_PREFIX = "2001:db8:abcd::"


class OnLab(Protocol):
    """Whatever stands on a lab: all that a fault of the networks needs."""

    lab: Lab


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


def flap(world: OnLab) -> None:
    """The cable is pulled and plugged in again."""
    world.lab.pull("eth0")
    world.lab.plug("eth0")


def new_address(world: OnLab) -> None:
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


def old_address(world: OnLab) -> None:
    """The first lease again."""
    world.lab.client.ip("route flush dev eth0 proto boot\naddr flush dev eth0 scope global")
    world.lab.client.ip(ETH0.configure())


def rogue_router(world: OnLab) -> None:
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


def no_rogue_router(world: OnLab) -> None:
    """What the advertisements left goes."""
    world.lab.client.run("ip -6 route flush dev eth0 proto ra; ip -6 addr flush dev eth0 scope global dynamic")


def pushed_routes(world: OnLab) -> None:
    """TunnelVision: a DHCP server pushes routes that are more specific than the default."""
    world.lab.client.ip(f"""
        route add 0.0.0.0/1 via {ETH0.router4}
        route add 128.0.0.0/1 via {ETH0.router4}
        route add 2000::/3 via {ETH0.router6}
        route add 198.51.100.0/24 via {ETH0.router4}
    """)


def no_pushed_routes(world: OnLab) -> None:
    """The lease ends."""
    world.lab.client.ip("""
        route del 0.0.0.0/1
        route del 128.0.0.0/1
        route del 2000::/3
        route del 198.51.100.0/24
    """)


def other_default(world: OnLab) -> None:
    """The default route changes to the other uplink."""
    world.lab.client.ip(f"route add default via {UPLINKS['wlan0'].router4} dev wlan0 metric 1")


def first_default(world: OnLab) -> None:
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
