"""Several real gateways on one PostgreSQL, each in a namespace with a cable of its own, and a client with a real helper."""

from __future__ import annotations

import contextlib
import json
import secrets
from typing import Self

from slopn_helper.gateway.registry import Registry
from support.capture import Capture
from support.gateway_device import in_registry
from support.gateway_process import ENROLMENT_PORT, GatewayProcess
from support.helper_process import HelperProcess
from support.netns import Namespace, veth
from support.postgres import Postgres, postgres
from support.topology import DNS4, GATEWAY_PORT, Lab
from support.until import until
from support.watched import Watched

WITHIN = 60.0


class Site:
    """One gateway, `number` from 0: devices call it at `address`, the web sees `outside`."""

    def __init__(self, number: int, lab: Lab, database: str) -> None:
        self.namespace = Namespace(f"gw{number}", private=True)
        self.address = f"203.0.113.{20 + number}"
        self.outside = f"192.0.2.{101 + 4 * number}"
        self.gateway: GatewayProcess
        self._there = f"192.0.2.{100 + 4 * number}"
        self._six = f"2001:db8:0:1{number}:"
        self._cable = f"r-gw{number}"
        self._lab = lab
        self._database = database
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.namespace)
            veth(self.namespace, "wan0", self._lab.router, self._cable)
            self.namespace.ip(f"""
                addr add {self.outside}/31 dev wan0
                addr add {self.address}/32 dev wan0
                addr add {self._six}:2/64 dev wan0 nodad
                route add default via {self._there} src {self.address}
                route add default via {self._six}:1
            """)
            self._lab.router.ip(f"addr add {self._there}/31 dev {self._cable}")
            self.plug()
            settings: dict[str, dict[str, object]] = {
                "wireguard": {"endpoint": self.address},
                "dns": {"servers": [DNS4]},
            }
            self.gateway = GatewayProcess(self.namespace, settings, database=self._database)
            stack.callback(self.gateway.__exit__)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def pull(self) -> None:
        """Nobody reaches it any more; the gateway itself runs, and has its database."""
        self._lab.router.ip(f"link set {self._cable} down")

    def plug(self) -> None:
        """The cable is in."""
        self._lab.router.ip(f"""
            link set {self._cable} up
            addr replace {self._six}:1/64 dev {self._cable} nodad
            route replace {self.address}/32 via {self.outside}
        """)

    def link(self) -> str:
        """A fresh one, for one device."""
        made = self.gateway.cli("token", "create", "--json").stdout
        return str(json.loads(made)["link"])

    def peers(self) -> list[str]:
        """Whom the engine lets in: public keys, base64."""
        return self.namespace.run("wg show slopngw0 peers", check=False).stdout.split()


class GatewayFleet(Watched):
    """Up while entered: `count` gateways that know each other, PostgreSQL, and a helper that has no profile yet."""

    patience = WITHIN

    def __init__(self, count: int) -> None:
        self.lab = Lab(uplinks=("eth0",), gateway=False)
        self.sites: list[Site] = []
        self.server: Postgres
        self._count = count
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.server = stack.enter_context(postgres())
            stack.enter_context(self.lab)
            self.lab.client.sysctl({"net/ipv4/conf/all/rp_filter": "2"})
            url = self.server.create(f"t{secrets.token_hex(6)}")
            self.sites = [stack.enter_context(Site(number, self.lab, url)) for number in range(self._count)]
            self._start()
            reachable = {(site.address, port) for site in self.sites for port in (GATEWAY_PORT, ENROLMENT_PORT)}
            devices = [uplink.router_device for uplink in self.lab.uplinks]
            self.capture = stack.enter_context(Capture(self.lab.router, devices, gateways=frozenset(reachable)))
            self.helper = stack.enter_context(HelperProcess(self.lab.client))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def in_use(self) -> Site:
        """The gateway that has the traffic, by what the web sees."""
        seen = until(self.visitor, WITHIN, "a page comes through the tunnel")
        return next(site for site in self.sites if site.outside == seen)

    def _start(self) -> None:
        """The first one last, so that it knows of the others when a device asks it."""
        first, *others = self.sites
        if others:
            others[0].gateway.start()  # it alone makes the tables
        for site in others[1:]:
            site.gateway.start()

        async def count(registry: Registry) -> int:
            return len(await registry.gateways())

        until(lambda: in_registry(first.gateway, count) == len(others), WITHIN, "they have said that they are there")
        first.gateway.start()
