"""The lab: a client with two uplinks, a router between everything, a WireGuard gateway and an internet.

    client ══ eth0  10.1.0.2  2001:db8:1::2 ══ router ── gateway  203.0.113.10  2001:db8:9::10
           ══ wlan0 10.2.0.2  2001:db8:2::2 ══        └─ web      198.51.100.1  2001:db8:ffff::1  (DNS 198.51.100.53)

The router forwards without masquerading and answers DNS on its LAN addresses by handing it on to the internet's, so the
web server sees who really asks: the client's own address is a leak, the gateway's is the tunnel. All public addresses
are from the ranges kept for documentation (RFC 5737, RFC 3849), the LANs' from RFC 1918 and RFC 4193.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from support.capture import Capture
from support.internet import Internet
from support.netns import Namespace, veth

GATEWAY4, GATEWAY6, GATEWAY_PORT = "203.0.113.10", "2001:db8:9::10", 51820
WEB4, WEB6 = "198.51.100.1", "2001:db8:ffff::1"
DNS4, DNS6 = "198.51.100.53", "2001:db8:ffff::53"
GATEWAY_NAME, WEB_NAME = "gateway.example.net", "web.example.net"


@dataclass(frozen=True)
class Uplink:
    """One of the client's ways out: a veth to the router and what a DHCP server would have handed out for it."""

    device: str
    metric: int
    client4: str
    router4: str
    client6: str
    router6: str
    """Global; `lan6` is the router's unique local address."""
    lan6: str

    @property
    def router_device(self) -> str:
        """The router's end of the cable."""
        return f"r-{self.device}"

    def configure(self) -> str:
        """ip(8) commands that give the client's end its addresses and default routes."""
        return f"""
            addr replace {self.client4}/24 dev {self.device}
            addr replace {self.client6}/64 dev {self.device} nodad
            addr replace {self.lan6}2/64 dev {self.device} nodad
            route replace default via {self.router4} dev {self.device} metric {self.metric}
            route replace default via {self.router6} dev {self.device} metric {self.metric}
        """


ETH0 = Uplink("eth0", 100, "10.1.0.2", "10.1.0.1", "2001:db8:1::2", "2001:db8:1::1", "fd00:db8:1::")
WLAN0 = Uplink("wlan0", 600, "10.2.0.2", "10.2.0.1", "2001:db8:2::2", "2001:db8:2::1", "fd00:db8:2::")
UPLINKS = {"eth0": ETH0, "wlan0": WLAN0}

_FORWARD = {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"}

_ROUTER_DNS = f"""
table ip lab {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    iifname "r-*" ip daddr {{ 10.1.0.1, 10.2.0.1 }} meta l4proto {{ tcp, udp }} th dport 53 dnat to {DNS4}
  }}
}}
"""


class Lab:
    """The namespaces and cables, and the internet's servers; up between `__enter__` and `__exit__`.

    `uplinks` chooses the client's cables; without `gateway` or `web` their namespaces are left out. The gateway's
    WireGuard is `support.gateway.Gateway`'s business. `dir` is a directory of the lab's own, removed at the end.
    """

    def __init__(self, *, uplinks: Collection[str] = ("eth0", "wlan0"), gateway: bool = True, web: bool = True) -> None:
        self.uplinks = tuple(UPLINKS[name] for name in uplinks)
        self.client = Namespace("client", private=True)
        self.router = Namespace("router")
        self._gateway = Namespace("gateway", private=True) if gateway else None
        self._web = Namespace("web") if web else None
        self._internet: Internet | None = None
        self._stack = contextlib.ExitStack()
        self.dir = Path()

    @property
    def gateway(self) -> Namespace:
        """The gateway's namespace; only with `gateway`."""
        assert self._gateway is not None, "this lab was made without a gateway"
        return self._gateway

    @property
    def web(self) -> Namespace:
        """The web server's namespace; only with `web`."""
        assert self._web is not None, "this lab was made without a web server"
        return self._web

    @property
    def internet(self) -> Internet:
        """The servers in `web` and what they have seen; only with `web`."""
        assert self._internet is not None, "this lab was made without a web server"
        return self._internet

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.dir = Path(tempfile.mkdtemp(prefix=f"{self.client.name.removesuffix('client')}lab-"))
            stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
            stack.enter_context(self.router)
            self.router.sysctl(_FORWARD)
            if self._web is not None:
                self._connect_web(stack.enter_context(self._web))
                self._internet = stack.enter_context(
                    Internet(self._web, self.dir / "internet.sock", (WEB4, DNS4, DNS6))
                )
            stack.enter_context(self.client)
            for uplink in self.uplinks:
                self._connect_uplink(uplink)
            resolvers = "".join(f"nameserver {uplink.router4}\n" for uplink in self.uplinks[:1])
            (self.client.root() / "etc/resolv.conf").unlink(missing_ok=True)
            (self.client.root() / "etc/resolv.conf").write_text(resolvers, encoding="ascii")
            if self._gateway is not None:
                self._connect_gateway(stack.enter_context(self._gateway))
            self.router.nft(_ROUTER_DNS)
            if self._internet is not None:
                self._internet.wait_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def capture(self, *, allow_lan: bool = False) -> Capture:
        """A capture on the router's ends of all uplinks: what the client really sends. Use it as a context manager."""
        return Capture(self.router, [uplink.router_device for uplink in self.uplinks], allow_lan=allow_lan)

    def pull(self, device: str) -> None:
        """Pull a cable: the carrier goes, then addresses and routes, as NetworkManager and DHCP clients do it."""
        uplink = UPLINKS[device]
        self.router.ip(f"link set {uplink.router_device} down")
        self.client.ip(f"""
            route flush dev {device} proto boot
            -6 route flush dev {device} proto boot
            addr flush dev {device} scope global
        """)

    def plug(self, device: str) -> None:
        """Plug a pulled cable in again: carrier, addresses and routes come back as they were."""
        uplink = UPLINKS[device]
        self.router.ip(f"""
            link set {uplink.router_device} up
            addr replace {uplink.router6}/64 dev {uplink.router_device} nodad
            addr replace {uplink.lan6}1/64 dev {uplink.router_device} nodad
        """)
        self.client.ip(uplink.configure())

    def _connect_uplink(self, uplink: Uplink) -> None:
        veth(self.client, uplink.device, self.router, uplink.router_device)
        self.router.ip(f"""
            addr add {uplink.router4}/24 dev {uplink.router_device}
            addr add {uplink.router6}/64 dev {uplink.router_device} nodad
            addr add {uplink.lan6}1/64 dev {uplink.router_device} nodad
        """)
        self.client.ip(uplink.configure())

    def _connect_web(self, web: Namespace) -> None:
        veth(web, "inet0", self.router, "r-web")
        web.ip(f"""
            addr add 192.0.2.2/30 dev inet0
            addr add 2001:db8:0:2::2/64 dev inet0 nodad
            addr add {WEB4}/32 dev lo
            addr add {DNS4}/32 dev lo
            addr add {WEB6}/128 dev lo nodad
            addr add {DNS6}/128 dev lo nodad
            route add default via 192.0.2.1 src {WEB4}
            route add default via 2001:db8:0:2::1 src {WEB6}
        """)
        self.router.ip("""
            addr add 192.0.2.1/30 dev r-web
            addr add 2001:db8:0:2::1/64 dev r-web nodad
            route add 198.51.100.0/24 via 192.0.2.2
            route add 2001:db8:ffff::/48 via 2001:db8:0:2::2
        """)

    def _connect_gateway(self, gateway: Namespace) -> None:
        veth(gateway, "wan0", self.router, "r-gw")
        # Those of the cable are for neighbours alone: masquerading takes the gateway's own.
        gateway.ip(f"""
            addr add 192.0.2.6/30 dev wan0 scope link
            addr add 2001:db8:0:6::2/64 dev wan0 nodad preferred_lft 0
            addr add {GATEWAY4}/32 dev wan0
            addr add {GATEWAY6}/128 dev wan0 nodad
            route add default via 192.0.2.5 src {GATEWAY4}
            route add default via 2001:db8:0:6::1 src {GATEWAY6}
        """)
        gateway.sysctl(_FORWARD)
        self.router.ip(f"""
            addr add 192.0.2.5/30 dev r-gw
            addr add 2001:db8:0:6::1/64 dev r-gw nodad
            route add {GATEWAY4}/32 via 192.0.2.6
            route add {GATEWAY6}/128 via 2001:db8:0:6::2
        """)
