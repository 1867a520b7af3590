"""libnftables and the kernel's nftables for unit tests: two tables that know two policies by their scripts."""

from __future__ import annotations

import asyncio
import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.host.firewall import Blocked, FirewallError, FirewallPolicy, Tunnelled, nftables, tables
from slopn_helper.host.firewall.nftables import NftablesFirewall
from slopn_wire.profile import Endpoint, IPAddress

DATA = Path(__file__).parents[1] / "data/firewall"
CONNECTING = Blocked(
    endpoints=(Endpoint("203.0.113.10", 51820), Endpoint("2001:db8:9::10", 443)),
    addresses=(ip_address("10.9.0.2"), ip_address("fd09::2")),
)
TUNNELLED = Tunnelled(
    allow_lan=True,
    endpoints=CONNECTING.endpoints[:1],
    interface="slopn0",
    addresses=CONNECTING.addresses[:1],
    dns=(ip_address("10.9.0.1"),),
)
FAMILIES = ("inet", "netdev")


def listings(name: str) -> dict[str, list[dict[str, Any]]]:
    """What the kernel lists once a policy is in force."""
    files = {"inet": f"{name}.json", "netdev": f"devices_{name}.json"}
    return {family: json.loads((DATA / file).read_text(encoding="utf-8")) for family, file in files.items()}


LISTINGS = {"connecting": listings("connecting"), "tunnelled": listings("tunnelled_lan")}


class FakeKernel:
    """Two tables that know two policies by their scripts; shared by every context made."""

    port = 77

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.can_own = True
        self.owners: dict[str, int] = {}
        self.number = 1
        self.log: list[str] = []
        self.refuse: FirewallError | None = None
        self.refuse_frames: FirewallError | None = None
        self.refuse_fills: FirewallError | None = None
        self.scripts: list[str] = []
        self.forgotten: list[frozenset[IPAddress]] = []
        self.refuse_flows: OSError | None = None
        self.garble = 0
        """So many of the next scripts leave the tables without a rule."""

    def run(self, script: str) -> None:
        """Put the policy in force that the script is of."""
        frames, packets = ("table netdev" in script, "table inet" in script)
        if self.refuse or (frames and self.refuse_frames):
            self.log.append("refuse")
            raise self.refuse or self.refuse_frames or FirewallError("no")
        whole = script.startswith("table")
        if self.refuse_fills and not whole:
            raise self.refuse_fills
        self.log.append("replace" if whole else "fill")
        self.scripts.append(script)
        rules = LISTINGS["tunnelled" if "10.9.0.1 " in script or "10.0.0.0/8" in script else "connecting"]
        if self.garble:
            self.garble -= 1
            rules = {family: [item for item in listed if "rule" not in item] for family, listed in rules.items()}
        for family, there in zip(FAMILIES, (packets, frames), strict=True):
            if there:
                self.change(family, list(rules[family]))

    def change(self, family: str, objects: list[dict[str, Any]] | None) -> None:
        """Another table, or none."""
        self.number += 1
        if objects is None:
            self.tables.pop(family, None)
            self.owners.pop(family, None)
        else:
            self.tables[family] = objects

    def claim(self, family: str = "inet") -> bool:
        """Make the table if it can be owned."""
        self.log.append("claim")
        if self.can_own:
            self.tables.setdefault(family, [{"table": {"name": "slopn"}}])
            self.owners[family] = self.port
        return self.can_own

    def listing(self, family: str = "inet", table: str = "slopn") -> list[dict[str, Any]] | None:
        """What is there."""
        assert table == "slopn"
        return self.tables.get(family)

    def is_there(self, family: str = "inet", table: str = "slopn") -> bool:
        """Whether it is."""
        return self.listing(family, table) is not None

    def remove(self, family: str = "inet", table: str = "slopn") -> None:
        """No table."""
        self.log.append(f"remove {family} {table}")
        self.change(family, None)

    def forget_dns(self, resolvers: frozenset[IPAddress]) -> int:
        """Remembers it."""
        if self.refuse_flows:
            raise self.refuse_flows
        self.forgotten.append(resolvers)
        return 1

    def generation(self) -> int:
        """Another one after each change."""
        return self.number

    def close(self) -> None:
        """Asked no more."""

    def owner(self, family: str, table: str) -> int | None:
        """Whose it is."""
        assert table == "slopn"
        return self.owners.get(family)


def installed(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """A fake in place of libnftables and of the kernel; the host has no devices."""
    fake = FakeKernel()
    monkeypatch.setattr(nftables, "Nft", lambda: fake)
    monkeypatch.setattr(tables, "Nft", lambda: fake)
    monkeypatch.setattr(tables, "Kernel", lambda: fake)
    monkeypatch.setattr("slopn_helper.host.firewall.flows.forget_dns", fake.forget_dns)
    monkeypatch.setattr(tables, "ways_out", lambda _: frozenset())

    async def drop() -> int:
        fake.log.append("drop")
        return 1

    monkeypatch.setattr(nftables, "drop_waiting", drop)
    return fake


def apply(firewall: NftablesFirewall, policy: FirewallPolicy) -> None:
    """Apply and wait."""
    asyncio.run(firewall.apply(policy, persist=False))
