"""The networks below the tunnel: cables, addresses, routes, and what a DHCP server may hand out."""

from __future__ import annotations

from leak.case import CLOSED, Fault, Step, connected_again
from leak.faults.tunnel import ip
from leak.world import World
from support import faults
from support.topology import ETH0, UPLINKS, WLAN0

_ON_LINK = "198.51.100.2/24", "203.0.113.2/24", "10.1.0.2/1"


HAND_MADE = frozenset({"packet/udp", "packet/udp6", "ethertype/88cc"})
_NEW_DEVICE = "a new name's hand-made frames are held back from the next look at the links on: docs/firewall.md, Frames"


def both_pulled(world: World) -> None:
    """No network at all."""
    for device in UPLINKS:
        world.lab.pull(device)


def both_plugged(world: World) -> None:
    """And back."""
    for device in UPLINKS:
        world.lab.plug(device)
    world.connected_again()


def then(*steps: Step) -> Step:
    """One after the other."""

    def all_of_them(world: World) -> None:
        for step in steps:
            step(world)

    return all_of_them


def pull_eth0(world: World) -> None:
    """The better uplink goes."""
    world.lab.pull("eth0")


def plug_eth0(world: World) -> None:
    """And comes back."""
    world.lab.plug("eth0")
    world.connected_again()


def flaps(world: World) -> None:
    """Ten times in a row."""
    for _ in range(10):
        faults.flap(world)


def is_neighbours(world: World) -> None:
    """TunnelCrack: the LAN's netmask covers the internet, and a router answers for all of it."""
    world.lab.router.sysctl({"net/ipv4/conf/r-eth0/proxy_arp": "1"})
    world.lab.client.ip("\n".join(f"addr add {address} dev eth0" for address in _ON_LINK), check=False)


def is_no_neighbour(world: World) -> None:
    """The lease ends."""
    world.lab.client.ip("\n".join(f"addr del {address} dev eth0" for address in _ON_LINK), check=False)
    world.lab.client.ip(ETH0.configure())
    world.lab.router.sysctl({"net/ipv4/conf/r-eth0/proxy_arp": "0"})
    world.connected_again()


def renamed(world: World) -> None:
    """As udev does it late: down, another name, up."""
    world.lab.client.ip("link set eth0 down\nlink set eth0 name enp3s0\nlink set enp3s0 up")


def renamed_back(world: World) -> None:
    """All as it was."""
    world.lab.client.ip("link set enp3s0 down\nlink set enp3s0 name eth0\nlink set eth0 up")
    plug_eth0(world)


_GATEWAY_BY_WLAN0 = f"route add 203.0.113.10 via {WLAN0.router4} dev wlan0", "route del 203.0.113.10"
_OPTION_121 = tuple(
    f"route add {net} via {ETH0.router4} dev eth0" for net in ("198.51.100.53/32", "198.51.100.1/32", "203.0.113.0/24")
)

FAULTS = [
    Fault("uplink: flaps", flaps, connected_again),
    Fault("uplink: pulled", pull_eth0, plug_eth0),
    Fault("uplink: both pulled", both_pulled, both_plugged, modes=CLOSED),
    Fault("uplink: both pulled, back at once", then(both_pulled, both_plugged)),
    Fault("uplink: down by hand", ip("link set eth0 down"), then(ip("link set eth0 up"), plug_eth0)),
    Fault("uplink: renamed", renamed, renamed_back, passes=HAND_MADE, why=_NEW_DEVICE),
    Fault("uplink: MTU 1280", ip("link set eth0 mtu 1280"), then(ip("link set eth0 mtu 1500"), connected_again)),
    Fault(
        "uplink: a third one, with the best default route",
        World.plug_usb,
        then(World.unplug_usb, connected_again),
        passes=HAND_MADE,
        why=_NEW_DEVICE,
    ),
    Fault("address: a new lease", faults.new_address, then(faults.old_address, connected_again)),
    Fault("address: flushed", ip("addr flush dev eth0"), plug_eth0),
    Fault(
        "route: another uplink becomes the default", faults.other_default, then(faults.first_default, connected_again)
    ),
    Fault(
        "route: no default",
        ip("route flush default", "-6 route flush default"),
        then(ip(*ETH0.configure().splitlines(), *WLAN0.configure().splitlines()), connected_again),
    ),
    Fault(
        "route: the gateway by another uplink",
        ip(_GATEWAY_BY_WLAN0[0]),
        then(ip(_GATEWAY_BY_WLAN0[1]), connected_again),
    ),
    Fault(
        "DHCP: TunnelVision, two halves of the internet",
        faults.pushed_routes,
        then(faults.no_pushed_routes, connected_again),
    ),
    Fault(
        "DHCP: option 121 to name servers, web and gateway",
        ip(*_OPTION_121),
        then(ip(*(route.replace(" add ", " del ") for route in _OPTION_121)), connected_again),
    ),
    Fault("DHCP: TunnelCrack, the netmask covers the internet", is_neighbours, is_no_neighbour),
    Fault("DHCP: TunnelCrack, with the LAN allowed", is_neighbours, is_no_neighbour, lan=True),
]
