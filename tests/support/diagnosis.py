"""Facts of a computer on which all is well, connected; a test changes what it is about."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from slopn_helper import __version__
from slopn_helper.diagnose.facts import Answer, Disk, Facts, Sources
from slopn_helper.host.facts import Filters, Link, Route, Rule, System
from slopn_wire.events import Snapshot
from slopn_wire.profile import IPAddress
from slopn_wire.state import Disconnected, TargetState
from support.samples import CONNECTED

_T = TypeVar("_T")

NOW = 1_700_000_150.0
LINKS = (
    Link("lo", 65536, usable=True, addresses=(ip_interface("127.0.0.1/8"),)),
    Link("eth0", 1500, usable=True, addresses=(ip_interface("192.0.2.7/24"),)),
    Link("slopn0", 1420, usable=True, addresses=(ip_interface("10.8.0.2/32"),)),
)
ROUTES = (
    Route(254, "0.0.0.0/0", via="192.0.2.1", device="eth0", protocol=3),
    Route(51820, "0.0.0.0/0", device="slopn0", protocol=151, ours=True),
    Route(51820, "0.0.0.0/0", metric=4294967294, protocol=151, unreachable=True, ours=True),
)
RULES = (
    Rule(4, 32764, 254, protocol=151, ours=True),
    Rule(4, 32765, 51820, fwmark=51820, inverted=True, protocol=151, ours=True),
)
FILTERS = Filters("table inet slopn {\n\tchain output {\n\t}\n}\n", ("ip filter",))
SYSTEM = System("Debian GNU/Linux 13 (trixie)", "6.12.5-amd64", kernel_keeps_tables=True)
SNAPSHOT = msgspec.structs.replace(
    CONNECTED, version=__version__, live=msgspec.structs.replace(CONNECTED.live, path_mtu=1500)
)
DISCONNECTED = msgspec.structs.replace(
    SNAPSHOT, state=Disconnected(), target=TargetState.UNSECURED, live=Snapshot().live
)
FACTS = Facts(
    at=NOW,
    interface="slopn0",
    snapshot=SNAPSHOT,
    log=(),
    recording=b"",
    firewall_drift=None,
    routes_drift=None,
    dns_drift=None,
    dns_choice="rc=plain link=no nss=dns bus=no -> resolv_conf",
    links=LINKS,
    routes=ROUTES,
    rules=RULES,
    filters=FILTERS,
    system=SYSTEM,
    resolvers="# /etc/resolv.conf\nnameserver 10.8.0.1\n",
    answers=(Answer(ip_address("10.8.0.1"), 0.012),),
    undo=("rules 151", "nft-table inet slopn"),
    disk=Disk(10 << 30, newest=NOW - 60),
    authority=(NOW - 1e6, NOW + 1e6),
)


def facts(**changes: Any) -> Facts:
    """`FACTS` with some of them replaced; those of the snapshot by its members' names with `now_` in front."""
    now = {name.removeprefix("now_"): value for name, value in changes.items() if name.startswith("now_")}
    others = {name: value for name, value in changes.items() if not name.startswith("now_")}
    snapshot = msgspec.structs.replace(others.pop("snapshot", SNAPSHOT), **now)
    return msgspec.structs.replace(FACTS, snapshot=snapshot, **others)


class FakeHost:
    """`HostFacts` of that computer; `refuse` names those that raise."""

    def __init__(self) -> None:
        self.refuse: dict[str, Exception] = {}
        self.asked: list[tuple[IPAddress, str]] = []
        self.seconds: float | None = 0.012

    async def links(self) -> tuple[Link, ...]:
        """As the interface."""
        return self._said("links", LINKS)

    async def routes(self) -> tuple[Route, ...]:
        """As the interface."""
        return self._said("routes", ROUTES)

    async def rules(self) -> tuple[Rule, ...]:
        """As the interface."""
        return self._said("rules", RULES)

    async def filters(self) -> Filters:
        """As the interface."""
        return self._said("filters", FILTERS)

    async def system(self) -> System:
        """As the interface."""
        return self._said("system", SYSTEM)

    async def resolvers(self) -> str:
        """As the interface."""
        return self._said("resolvers", "nameserver 10.8.0.1\n")

    async def answers(self, server: IPAddress, interface: str) -> float | None:
        """As the interface."""
        self.asked.append((server, interface))
        return self._said("answers", self.seconds)

    def _said(self, name: str, value: _T) -> _T:
        if name in self.refuse:
            raise self.refuse[name]
        return value


def sources(folder: Path, host: FakeHost | None = None, **changes: Any) -> Sources:
    """Where those facts come from."""

    async def nothing() -> str | None:
        return None

    async def choice() -> str:
        return str(FACTS.dns_choice)

    wired: dict[str, Any] = {
        "snapshot": lambda: SNAPSHOT,
        "log": lambda: (),
        "recording": lambda: b"",
        "host": host or FakeHost(),
        "firewall_drift": nothing,
        "routes_drift": nothing,
        "dns_drift": nothing,
        "dns_choice": choice,
        "undo": lambda: FACTS.undo,
        "state_dir": folder,
        "clock": lambda: NOW,
    }
    return Sources(**{**wired, **changes})
