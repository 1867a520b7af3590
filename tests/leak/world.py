"""A client with the real helper between everything that may go wrong, and senders that never pause."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Self

from leak.helper import LabHelper
from slopn_app.cli.channel import Channel
from slopn_app.cli.failure import Failure
from support.capture import GATEWAYS, Capture, Tally
from support.dns_world import ENV, DnsWorld, NetworkManager, Resolved
from support.frames import Allowed
from support.gateway import TUNNEL4, Gateway
from support.generator import TOLD_APART, Generator
from support.name_server import NameServer
from support.netns import Namespace, veth
from support.scene import PROFILE, Scene
from support.topology import ETH0, GATEWAY6, GATEWAY_PORT, UPLINKS, Lab, Uplink
from support.until import until

ROUNDS = 30.0
"""Of the senders, a second: some 70 packets each on the host, and 20 in the container."""
FOREVER = 24 * 3600.0
SECOND = "other"
"""A second profile: the same gateway by its IPv6 address."""
USB0 = Uplink("usb0", 50, "10.3.0.2", "10.3.0.1", "2001:db8:3::2", "2001:db8:3::1", "fd00:db8:3::")
"""An uplink that is plugged in while everything runs."""
BRIDGE, GUEST4, GUEST6 = "docker0", "172.17.0.2", "fd17::2"

_MASQUERADE = """
table inet containers {
  chain postrouting {
    type nat hook postrouting priority srcnat
    ip saddr 172.17.0.0/16 oifname != "docker0" masquerade
    ip6 saddr fd17::/64 oifname != "docker0" masquerade
  }
}
"""
CONTROL_LEAST = 5
"""Frames of each class that must get out of the open host before a count begins."""
_CONTROL_WITHIN = 10.0
_DEFAULTS: dict[str, Any] = {"kill_switch": "off", "allow_lan": False, "exclude": [], "include": []}
_TAKES_ADVERTISEMENTS = {
    f"net/ipv6/conf/{name}/{key}": value
    for name in ("all", *UPLINKS)
    for key, value in (("accept_ra", "2"), ("accept_redirects", "1"))
} | {f"net/ipv4/conf/{name}/accept_redirects": "1" for name in ("all", *UPLINKS)}


class World(Scene):
    """Up while entered: the helper answers, disconnected, kill switch off; two senders send, and a capture counts.

    A container `guest` behind the bridge `docker0` is masqueraded as Docker does it. `plain`: the helper makes tables
    that anybody may change, as on kernels without owners. `daemon`: what rules the host's DNS.
    """

    def __init__(self, *, plain: bool = False, daemon: str | None = None, sabotage: bool = False) -> None:
        super().__init__(tuple(UPLINKS))
        self._plain, self._daemon, self._sabotage = plain, daemon, sabotage
        self.resolved: Resolved | None = None
        self.networkmanager: NetworkManager | None = None
        self.helper: LabHelper

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.lab = stack.enter_context(Lab())
            self.lab.client.sysctl(_TAKES_ADVERTISEMENTS)
            self.gateway = stack.enter_context(Gateway(self.lab))
            self.guest = stack.enter_context(Namespace("guest"))
            self._put_into_a_container()
            self._lay_a_spare_cable()
            devices = [uplink.router_device for uplink in (*self.lab.uplinks, USB0)]
            self.capture: Capture = stack.enter_context(Capture(self.lab.router, devices))
            env = self._start_daemon()
            self.helper = LabHelper(self.lab.client, env, plain=self._plain, sabotage=self._sabotage)
            stack.callback(self.helper.__exit__)
            self.helper.start()
            self.add_profile(self.gateway.config())
            self.add_profile(self.gateway.config(endpoint=f"[{GATEWAY6}]:{GATEWAY_PORT}"), SECOND)
            self.senders = [
                stack.enter_context(self.sender()),
                stack.enter_context(self.sender(self.guest)),
            ]
            self._stack = stack.pop_all()
        return self

    def sender(self, container: Namespace | None = None) -> Generator:
        """Somebody who sends without a pause: on the host, or in a container."""
        if container is not None:
            return Generator(container, (), rounds_per_second=ROUNDS, seconds=FOREVER, way="forwarded")
        uplinks = (*self.lab.uplinks, USB0)
        return Generator(self.lab.client, uplinks, rounds_per_second=ROUNDS, seconds=FOREVER, packet=True, way="bound")

    def tried(self) -> int:
        """How many packets the senders have tried to send until now."""
        assert all(sender.running for sender in self.senders), "a sender has died"
        return sum(sender.tried_so_far() for sender in self.senders)

    def rest(self) -> None:
        """Disconnected and open, whatever the last fault left of the helper; its traces on the host are the fault's."""
        self.capture.allowed = Allowed(GATEWAYS)
        if not self.helper.alive:
            self.helper.start()
        # While disconnected an open host must follow at once, so the mode goes first.
        self.set(**_DEFAULTS)
        if self.status()["state"] != "disconnected":
            self.do("disconnect")
        self.wait_state("disconnected", 20.0)

    def control(self) -> Tally:
        """What gets out of the open host: every class must, or nothing that follows proves anything."""
        self.capture.reset()
        tally = self.capture.tally()

        def all_seen() -> bool:
            nonlocal tally
            tally = self.capture.tally()
            return all(tally.leaks[kind] >= CONTROL_LEAST for kind in TOLD_APART)

        with contextlib.suppress(AssertionError):
            until(all_seen, _CONTROL_WITHIN, "every class of traffic gets out")
        return tally

    def count_lan(self) -> None:
        """From here on private ranges and multicast are no leak; DNS is."""
        self.capture.allowed = Allowed(GATEWAYS, lan=True)

    def do(self, command: str, **fields: Any) -> None:
        """A command of the wire, accepted."""
        with Channel(str(self.helper.socket)) as channel:
            channel.do({"type": command, **fields})

    def set(self, **values: Any) -> None:
        """Change settings, given as the wire has them."""
        with Channel(str(self.helper.socket)) as channel:
            settings: dict[str, Any] = {**channel.snapshot()["settings"]}
            if settings | values != settings:
                channel.do({"type": "apply_settings", "settings": settings | values, "instead_of": settings})

    def secure(self, profile: str = PROFILE) -> None:
        """Connect, and return once the tunnel is up."""
        self.do("connect", profile=profile)
        self.wait_state("connected", 30.0)

    def connected_again(self, timeout: float = 30.0) -> None:
        """Return once the tunnel is up and the gateway has heard of it; a helper that is dead is started first."""
        if not self.helper.alive:
            self.helper.start()
        self.wait_state("connected", timeout)

    def reconnect(self) -> None:
        """The user's way out of whatever holds the tunnel up."""
        if not self.helper.alive:
            self.helper.start()
        with contextlib.suppress(Failure):
            self.do("reconnect")
        self.connected_again()

    def tell_containers(self) -> None:
        """The container engine's rules, again: somebody has flushed them."""
        self.lab.client.run("nft delete table inet containers", check=False)
        self.lab.client.nft(_MASQUERADE)

    def plug_usb(self) -> None:
        """Another uplink appears, with a default route better than all others."""
        self.lab.router.ip(f"link set {USB0.device} netns {self.lab.client.name}")
        self.lab.client.ip(f"link set {USB0.device} up")
        self.lab.client.ip(USB0.configure())

    def unplug_usb(self) -> None:
        """It is gone as it came."""
        self.lab.client.ip(f"link set {USB0.device} netns {self.lab.router.name}")

    def join(self, container: Namespace, device: str, address4: str, address6: str) -> None:
        """Connect a container to the bridge, as a container engine does."""
        veth(self.lab.client, device, container, "eth0")
        self.lab.client.ip(f"link set {device} master {BRIDGE}")
        container.ip(f"""
            addr add {address4}/16 dev eth0
            addr add {address6}/64 dev eth0 nodad
            route add default via 172.17.0.1
            route add default via fd17::1
        """)

    def _put_into_a_container(self) -> None:
        self.lab.client.sysctl({"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"})
        self.lab.client.ip(f"""
            link add {BRIDGE} address 02:42:ac:11:00:01 type bridge
            addr add 172.17.0.1/16 dev {BRIDGE}
            addr add fd17::1/64 dev {BRIDGE} nodad
            link set {BRIDGE} up
        """)
        self.join(self.guest, "vethguest", GUEST4, GUEST6)
        self.lab.client.nft(_MASQUERADE)

    def _lay_a_spare_cable(self) -> None:
        veth(self.lab.router, USB0.device, self.lab.router, USB0.router_device)
        # Down where it lies: the router would send by it, too.
        self.lab.router.ip(f"""
            link set {USB0.device} down
            addr add {USB0.router4}/24 dev {USB0.router_device}
            addr add {USB0.router6}/64 dev {USB0.router_device} nodad
            addr add {USB0.lan6}1/64 dev {USB0.router_device} nodad
        """)

    def _start_daemon(self) -> dict[str, str]:
        if self._daemon is None:
            return {}
        folder = Path(self.lab.dir)
        lan, inside = NameServer(self.lab.router, ETH0.router4), NameServer(self.lab.gateway, TUNNEL4)
        host = DnsWorld(folder, self.lab.client, self.lab.gateway, lan, inside)
        host.start_bus()
        if self._daemon == "resolved":
            self.lab.client.run("printf 'hosts: files dns\n' > /etc/nsswitch.conf")
            self.resolved = Resolved(host)
        else:
            self.networkmanager = NetworkManager(host)
        return {"DBUS_SYSTEM_BUS_ADDRESS": ENV["DBUS_SYSTEM_BUS_ADDRESS"]}
