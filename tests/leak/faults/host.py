"""What else runs on the host: name services, containers, whoever turns the kernel's knobs."""

from __future__ import annotations

from collections.abc import Mapping

from leak.case import EVERY, Fault, Step, connected_again
from leak.faults.underlay import plug_eth0, then
from leak.world import World
from support.netns import Namespace
from support.topology import ETH0

_LAN_RESOLVERS = f"nameserver {ETH0.router4}\nnameserver {ETH0.lan6}1\n"


def resolv_conf_overwritten(world: World) -> None:
    """As a DHCP client does it, five times."""
    for _ in range(5):
        (world.lab.client.root() / "etc/resolv.conf").write_text(_LAN_RESOLVERS, encoding="ascii")


def resolved_restarted(world: World) -> None:
    """SIGKILL and a new one."""
    assert world.resolved is not None
    world.resolved.kill()
    world.resolved.start()


def networkmanager_restarted(world: World) -> None:
    """SIGKILL and a new one, which configures its uplink anew."""
    assert world.networkmanager is not None
    world.networkmanager.kill()
    world.networkmanager.start()


def sysctls(values: Mapping[str, str]) -> Step:
    """Set them, in this order."""
    return lambda world: world.lab.client.sysctl(values)


def everywhere(key: str, value: str) -> dict[str, str]:
    """The same for all devices, IPv4."""
    return {f"net/ipv4/conf/{name}/{key}": value for name in ("all", "eth0", "wlan0", "slopn0")}


class Container:
    """One that is started while everything runs, with a sender in it."""

    def __init__(self) -> None:
        self._namespace: Namespace | None = None

    def start(self, world: World) -> None:
        """On the bridge."""
        self._namespace = Namespace("late").__enter__()
        world.join(self._namespace, "vethlate", "172.17.0.3", "fd17::3")
        world.senders.append(world.sender(self._namespace).__enter__())

    def start_on_the_cable(self, world: World) -> None:
        """By a macvlan of the uplink: a host of its own on the LAN."""
        self._namespace = Namespace("late").__enter__()
        world.lab.client.ip(
            f"link add mv0 link eth0 type macvlan mode bridge\nlink set mv0 netns {self._namespace.name}"
        )
        self._namespace.ip(f"""
            link set mv0 up
            addr add 10.1.0.99/24 dev mv0
            addr add 2001:db8:1::99/64 dev mv0 nodad
            route add default via {ETH0.router4}
            route add default via {ETH0.router6}
        """)
        world.senders.append(world.sender(self._namespace).__enter__())

    def stop(self, world: World) -> None:
        """Gone, with its sender."""
        world.senders.pop().stop()
        assert self._namespace is not None
        self._namespace.close()
        world.connected_again()


def bridge_made_anew(world: World) -> None:
    """The container engine restarts: bridge, rules and all."""
    # IPv6 addresses go when a device goes down.
    world.lab.client.ip("link set docker0 down\nlink set docker0 up\naddr replace fd17::1/64 dev docker0 nodad")
    world.tell_containers()


_late, _on_the_cable = Container(), Container()

FAULTS = [
    Fault("resolv.conf: overwritten with the LAN's resolver", resolv_conf_overwritten),
    Fault("systemd-resolved: restarted", resolved_restarted, daemon="resolved"),
    Fault("NetworkManager: restarted", networkmanager_restarted, daemon="networkmanager"),
    Fault(
        "sysctl: rp_filter strict and off",
        then(sysctls(everywhere("rp_filter", "1")), sysctls(everywhere("rp_filter", "0"))),
        then(sysctls(everywhere("rp_filter", "2")), connected_again),
    ),
    Fault(
        "sysctl: src_valid_mark and arp_ignore taken back",
        then(sysctls(everywhere("src_valid_mark", "0")), sysctls(everywhere("arp_ignore", "0"))),
        World.reconnect,
    ),
    Fault(
        "sysctl: forwarding off and on",
        then(
            sysctls({"net/ipv4/ip_forward": "0", "net/ipv6/conf/all/forwarding": "0"}),
            sysctls({"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"}),
        ),
    ),
    Fault(
        "sysctl: IPv6 off and on",
        then(sysctls({"net/ipv6/conf/eth0/disable_ipv6": "1"}), sysctls({"net/ipv6/conf/eth0/disable_ipv6": "0"})),
        plug_eth0,
    ),
    Fault("container: started meanwhile", _late.start, _late.stop, modes=EVERY),
    Fault("container: started meanwhile, macvlan on the uplink", _on_the_cable.start_on_the_cable, _on_the_cable.stop),
    Fault("container: the bridge goes and comes", bridge_made_anew),
]
