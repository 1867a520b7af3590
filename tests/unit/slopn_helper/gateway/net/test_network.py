from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace

from slopn_helper.gateway import sysctls
from slopn_helper.gateway.net import GatewayNetError, network
from slopn_helper.gateway.net.network import GatewayNet
from slopn_helper.gateway.net.policy import GatewayNetPolicy
from slopn_helper.gateway.net.rules import chains, closed
from slopn_helper.host.firewall.ruleset import Chain
from slopn_helper.host.journal import Journal

POLICY = GatewayNetPolicy(
    interfaces=("wg0",), pools=(ip_network("10.9.0.0/24"),), addresses=(ip_address("10.9.0.1"),), uplinks=("eth0",)
)


class FakeTable:
    """Remembers what it was given, and refuses it when told to."""

    def __init__(self, *, owned: bool) -> None:
        self.owned = owned
        self.log: list[str] = log
        self.held: tuple[Chain, ...] = ()
        made.append(self)

    def put(self, wanted: tuple[Chain, ...]) -> None:
        """Refused are the next ones, or all."""
        if refusals:
            raise GatewayNetError(refusals.pop())
        self.log.append("table")
        self.held = wanted

    def remove(self) -> None:
        """No table."""
        self.log.append("no table")
        self.held = ()

    def drift(self) -> str | None:
        """None."""
        return None

    def close(self) -> None:
        """Nothing to let go of."""


log: list[str] = []
made: list[FakeTable] = []
refusals: list[str] = []


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GatewayNet:
    """With a table that remembers and settings that do."""
    for each in (log, made, refusals):
        each.clear()
    monkeypatch.setattr(network, "Table", FakeTable)
    monkeypatch.setattr(sysctls, "apply", lambda *_: log.append("settings"))
    monkeypatch.setattr(sysctls, "undo", lambda *_: log.append("no settings"))
    monkeypatch.setattr(sysctls, "missing", lambda _: ())
    return GatewayNet(Journal(tmp_path / "journal", "boot"))


def apply(net: GatewayNet, policy: GatewayNetPolicy | None) -> None:
    """And wait."""
    asyncio.run(net.apply(policy))


def test_forwarding_comes_after_the_rules_and_goes_before_them(net: GatewayNet) -> None:
    """At no moment is anything forwarded that no rule looks at."""
    apply(net, POLICY)
    apply(net, None)
    assert log == ["table", "settings", "no settings", "no table"]
    net.close()


def test_rules_that_are_refused_leave_everything_closed(net: GatewayNet) -> None:
    """And forwarding off; the sentence says what holds."""
    refusals.append("no NAT here")
    with pytest.raises(GatewayNetError, match="no NAT here; nothing passes to or from devices"):
        apply(net, POLICY)
    assert made[0].held == closed(("wg0",))
    assert log == ["table"]
    net.close()


def test_when_not_even_that_can_be_had_it_says_so(net: GatewayNet) -> None:
    """It is the caller's then to let nobody in."""
    refusals.extend(["no nftables here"] * 2)
    with pytest.raises(GatewayNetError, match="no device may be let in"):
        apply(net, POLICY)
    assert log == []
    net.close()


def test_a_refused_change_leaves_the_policy_of_before(net: GatewayNet) -> None:
    """Neither closed nor new."""
    apply(net, POLICY)
    refusals.append("no")
    with pytest.raises(GatewayNetError, match="no; the rules of before hold"):
        apply(net, replace(POLICY, isolated=False))
    assert made[0].held == chains(POLICY)
    net.close()


def test_an_impossible_policy_changes_nothing(net: GatewayNet) -> None:
    """It never comes to the kernel."""
    with pytest.raises(GatewayNetError, match="can't be put into rules: devices need"):
        apply(net, replace(POLICY, uplinks=()))
    assert log == []
    net.close()


def test_what_cant_be_journalled_isnt_done(net: GatewayNet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(net._journal, "record", full)
    with pytest.raises(GatewayNetError, match="nothing is changed"):
        apply(net, POLICY)
    assert log == []
    net.close()
