from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.gateway.net import GatewayNetError, table
from slopn_helper.gateway.net.policy import GatewayNetPolicy
from slopn_helper.gateway.net.rules import chains
from slopn_helper.gateway.net.script import filling
from slopn_helper.gateway.net.table import Table
from slopn_helper.host.firewall import FirewallError

DATA = Path(__file__).parents[4] / "data/gateway_net"
LISTED: list[dict[str, Any]] = json.loads((DATA / "usual.json").read_text(encoding="utf-8"))
WANTED = chains(
    GatewayNetPolicy(
        interfaces=("wg0",),
        pools=(ip_network("10.9.0.0/24"), ip_network("fd09::/64")),
        addresses=(ip_address("10.9.0.1"), ip_address("fd09::1")),
        uplinks=("eth0",),
        dns=(ip_address("10.9.0.1"), ip_address("fd09::1")),
    )
)
WHOLE = filling(WANTED)


class FakeContext:
    """libnftables and the kernel: after any script there are the usual rules, unless somebody is quicker."""

    port = 7

    def __init__(self) -> None:
        self.objects: list[dict[str, Any]] | None = None
        self.scripts: list[str] = []
        self.number = 1
        self.flushes = 0

    def own(self) -> bool:
        """An old kernel."""
        return False

    def listing(self, *_: str) -> list[dict[str, Any]] | None:
        """What is there."""
        return self.objects

    def run(self, script: str) -> None:
        """Put it in, and have it flushed by somebody else."""
        self.scripts.append(script)
        self.number += 1
        self.objects = list(LISTED)
        if self.flushes:
            self.flushes -= 1
            self.objects = [item for item in LISTED if "rule" not in item]

    def generation(self) -> int:
        """Another one after each change."""
        return self.number


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeContext:
    """In place of both."""
    made = FakeContext()
    monkeypatch.setattr(table, "_Context", lambda: made)
    monkeypatch.setattr(table, "Kernel", lambda: made)
    return made


def test_one_script_is_sent_and_read_back(fake: FakeContext) -> None:
    """The whole table first; then what is there stays."""
    held = Table()
    held.put(WANTED)
    held.put(WANTED)
    assert fake.scripts[0] == WHOLE
    assert "add counter" not in fake.scripts[1]
    assert held.drift() is None


def test_what_somebody_undoes_meanwhile_is_done_once_more(fake: FakeContext) -> None:
    """A flush between the script and the look."""
    fake.flushes = 1
    Table().put(WANTED)
    assert len(fake.scripts) == 2


def test_what_is_always_undone_is_an_error(fake: FakeContext) -> None:
    """With the difference in its sentence."""
    fake.flushes = 9
    with pytest.raises(GatewayNetError, match="not those that were sent: the chain prerouting has 0 rules"):
        Table().put(WANTED)


def test_nothing_is_listed_while_nobody_changes_anything(fake: FakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's number says so; after anybody's change the rules are looked at."""
    held = Table()
    held.put(WANTED)
    looks: list[int] = []

    def listing(*_: str) -> list[dict[str, Any]] | None:
        looks.append(1)
        return fake.objects

    monkeypatch.setattr(fake, "listing", listing)
    assert held.drift() is None
    assert looks == []
    fake.number += 1
    assert held.drift() is None
    assert looks == [1]
    fake.number += 1
    fake.objects = None
    assert held.drift() == "the table inet slopn_gateway is gone"


def test_a_context_that_miscounts_its_sockets_is_made_again(fake: FakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one came or went meanwhile; what fails each time is an error."""
    failures = [FirewallError("0 sockets")] * 2

    def make() -> FakeContext:
        if failures:
            raise failures.pop()
        return fake

    monkeypatch.setattr(table, "_Context", make)
    Table().put(WANTED)
    failures.extend([FirewallError("no library")] * 3)
    with pytest.raises(GatewayNetError, match="no library"):
        Table().put(WANTED)
