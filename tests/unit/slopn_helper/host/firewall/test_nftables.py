from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.host.firewall import Blocked, FirewallError, Open, nftables, ruleset
from slopn_helper.host.firewall.nftables import INVERSES, NftablesFirewall
from slopn_helper.host.journal import Journal
from slopn_wire.events import PolicyKind
from slopn_wire.profile import Endpoint
from support.fake_nft import CONNECTING, FAMILIES, LISTINGS, TUNNELLED, FakeKernel, apply, installed
from support.until import until


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """A kernel that keeps two tables."""
    return installed(monkeypatch)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty journal."""
    return Journal(tmp_path / "journal", "boot")


@pytest.fixture
def firewall(kernel: FakeKernel, journal: Journal) -> Iterator[NftablesFirewall]:
    """The firewall on the fake kernel; its thread ends with the test."""
    assert not kernel.tables
    made = NftablesFirewall(journal, fwmark=51820)
    yield made
    made.close()


def test_an_owned_table_is_claimed_then_filled(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """The claim changes no packet's way; one transaction puts the policy in."""
    apply(firewall, CONNECTING)
    assert kernel.log == ["claim", "claim", "fill", "drop"]
    assert kernel.tables == LISTINGS["connecting"]


def test_a_plain_table_stays_too(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """Where the kernel can't own tables, what is in them is replaced and not they themselves."""
    kernel.can_own = False
    apply(firewall, CONNECTING)
    apply(firewall, TUNNELLED)
    assert kernel.log == ["claim", "claim", "fill", "drop", "claim", "claim", "fill"]
    assert "add table inet slopn\n" in kernel.scripts[0]
    assert "delete" not in "".join(kernel.scripts)


def test_a_plain_table_that_resists_is_replaced_as_a_whole(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """Something of somebody else's is in it that doesn't go piece by piece."""
    kernel.can_own = False
    kernel.garble = 1
    apply(firewall, CONNECTING)
    assert [word for word in kernel.log if word != "claim"] == ["fill", "replace", "drop"]
    kernel.refuse_fills = FirewallError("busy")
    apply(firewall, TUNNELLED)
    assert kernel.tables["inet"] == LISTINGS["tunnelled"]["inet"]
    assert kernel.log[-1] == "remove netdev slopn"


def test_a_full_disk_is_no_reason_to_leave_the_host_open(
    firewall: NftablesFirewall, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The rules are known by name to whoever undoes them: closed without an inverse on the disk, and said."""

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    apply(firewall, CONNECTING)
    assert kernel.tables == LISTINGS["connecting"]
    assert "make room on that disk" in caplog.text
    apply(firewall, Open())
    assert not kernel.tables


def test_owned_false_never_claims(kernel: FakeKernel, journal: Journal) -> None:
    """The plain way can be chosen."""
    firewall = NftablesFirewall(journal, fwmark=51820, owned=False)
    apply(firewall, CONNECTING)
    firewall.close()
    assert kernel.log == ["fill", "drop"]


def test_the_inverse_is_on_disk_before_the_rules_and_goes_with_them(
    firewall: NftablesFirewall, kernel: FakeKernel, journal: Journal
) -> None:
    """A crash at any moment leaves word of the table; an opened host leaves none."""
    kernel.refuse = FirewallError("no")
    with pytest.raises(FirewallError):
        apply(firewall, CONNECTING)
    assert journal.entries() == INVERSES
    kernel.refuse = None
    apply(firewall, CONNECTING)
    assert journal.entries() == INVERSES
    apply(firewall, Open())
    assert journal.entries() == ()
    assert not kernel.tables


def test_what_waits_is_dropped_when_the_host_closes(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """After the rules, and again after each opening; not at a change between two closed policies."""
    for policy in (CONNECTING, TUNNELLED, CONNECTING, Open(), CONNECTING):
        apply(firewall, policy)
    assert [word for word in kernel.log if word != "claim"] == [
        "fill", "drop", "fill", "fill", "remove netdev slopn", "remove inet slopn", "fill", "drop",
    ]  # fmt: skip


def test_a_failure_to_drop_what_waits_does_not_undo_the_block(
    firewall: NftablesFirewall, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules are in force and stay so."""

    async def fail() -> int:
        raise FirewallError("no netlink")

    monkeypatch.setattr(nftables, "drop_waiting", fail)
    apply(firewall, CONNECTING)
    assert kernel.tables == LISTINGS["connecting"]


def test_a_first_claim_that_cannot_be_filled_is_given_up(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """An empty table of ours isn't left behind."""
    kernel.refuse = FirewallError("refused")
    with pytest.raises(FirewallError, match="refused"):
        apply(firewall, CONNECTING)
    assert not kernel.tables


def test_a_refused_change_leaves_the_policy_before_it(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """The rules stay, and count as those last applied."""
    apply(firewall, CONNECTING)
    kernel.refuse = FirewallError("refused")
    with pytest.raises(FirewallError, match="refused"):
        apply(firewall, TUNNELLED)
    assert kernel.tables == LISTINGS["connecting"]
    assert asyncio.run(firewall.drift()) is None


def test_dns_flows_of_before_are_forgotten_when_the_resolver_changes(
    firewall: NftablesFirewall, kernel: FakeKernel
) -> None:
    """At the first policy, whatever an earlier process left; then with each other resolver, and with none."""
    for policy in (CONNECTING, CONNECTING, TUNNELLED, TUNNELLED, CONNECTING, Open()):
        apply(firewall, policy)
    until(lambda: len(kernel.forgotten) == 3, 5.0, "the flows were forgotten")
    assert kernel.forgotten == [frozenset(), frozenset(TUNNELLED.dns), frozenset()]


def test_dns_flows_that_cannot_be_forgotten_stop_nothing(
    firewall: NftablesFirewall, kernel: FakeKernel, caplog: pytest.LogCaptureFixture
) -> None:
    """Some container may wait a while; the kill switch doesn't."""
    kernel.refuse_flows = OSError("no such module")
    apply(firewall, TUNNELLED)
    assert kernel.tables == LISTINGS["tunnelled"]
    until(lambda: "in vain: no such module" in caplog.text, 5.0, "it was said")


def test_an_impossible_policy_changes_nothing(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """It is refused before the kernel hears of it."""
    with pytest.raises(FirewallError, match="can't be put into rules"):
        apply(firewall, Blocked(endpoints=(Endpoint("gateway.example.net", 1),)))
    assert kernel.log == []


def test_must_12_what_is_read_back_differs_once_and_is_applied_again(
    firewall: NftablesFirewall, kernel: FakeKernel
) -> None:
    """A foreign flush between apply and reading is made good at once."""
    kernel.garble = 1
    apply(firewall, CONNECTING)
    assert kernel.log.count("fill") == 2
    assert kernel.tables == LISTINGS["connecting"]


def test_must_12_what_is_read_back_differs_twice_and_the_last_policy_returns(
    firewall: NftablesFirewall, kernel: FakeKernel
) -> None:
    """A success that can't be seen is a failure."""
    apply(firewall, CONNECTING)
    kernel.garble = 2
    with pytest.raises(FirewallError, match="not those that were sent"):
        apply(firewall, TUNNELLED)
    assert kernel.tables == LISTINGS["connecting"]


def test_drift_names_what_is_different(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """None after an apply; a sentence after somebody else's change; None again after Open."""
    assert asyncio.run(firewall.drift()) is None
    apply(firewall, CONNECTING)
    assert asyncio.run(firewall.drift()) is None
    for family, words in zip(FAMILIES, ("a chain that isn't ours", "instead of"), strict=True):
        kernel.change(family, LISTINGS["tunnelled"][family])
        assert words in str(asyncio.run(firewall.drift()))
        kernel.change(family, None)
        assert asyncio.run(firewall.drift()) == f"the table {family} slopn is gone"
        apply(firewall, CONNECTING)
        assert asyncio.run(firewall.drift()) is None
    apply(firewall, Open())
    assert asyncio.run(firewall.drift()) is None


def test_equal_rules_of_somebody_else_are_drift(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """Other handles: the table was made anew, and nobody knows what was in force in between."""
    apply(firewall, CONNECTING)
    kernel.change("inet", [renumbered(item) for item in LISTINGS["connecting"]["inet"]])
    assert "equal but not those" in str(asyncio.run(firewall.drift()))


def renumbered(item: dict[str, Any]) -> dict[str, Any]:
    """The same object under another handle."""
    return {kind: {**of, "handle": of["handle"] + 100} for kind, of in item.items()}


def test_a_table_of_an_earlier_process_is_drift_until_it_is_replaced(
    firewall: NftablesFirewall, kernel: FakeKernel
) -> None:
    """A helper that starts sees what is in force, and adopts it by its first apply."""
    kernel.tables = dict(LISTINGS["tunnelled"])
    assert asyncio.run(firewall.in_force()) is PolicyKind.TUNNELLED
    assert "earlier process" in str(asyncio.run(firewall.drift()))
    apply(firewall, CONNECTING)
    assert asyncio.run(firewall.in_force()) is PolicyKind.BLOCKED
    assert asyncio.run(firewall.drift()) is None


def test_no_table_is_an_open_host(firewall: NftablesFirewall) -> None:
    """Nothing of ours filters."""
    assert asyncio.run(firewall.in_force()) is PolicyKind.OPEN


def test_close_leaves_the_policy_in_force(kernel: FakeKernel, journal: Journal) -> None:
    """Nothing is torn down at the end (must rule 12)."""
    firewall = NftablesFirewall(journal, fwmark=51820)
    apply(firewall, CONNECTING)
    firewall.close()
    assert kernel.tables == LISTINGS["connecting"]


def test_remove_all_and_the_journals_undo_remove_the_tables(kernel: FakeKernel) -> None:
    """The two ways back for a process that has no firewall of its own."""
    kernel.tables = dict(LISTINGS["connecting"])
    nftables.remove_all()
    assert not kernel.tables
    for inverse in INVERSES:
        asyncio.run(nftables.undo(inverse))
    assert kernel.log == ["remove netdev slopn", "remove inet slopn", "remove inet slopn", "remove netdev slopn"]


def test_the_inverses_name_the_tables_that_are_made() -> None:
    """What the journal removes is what the rules are in."""
    assert [(inverse.family, inverse.name) for inverse in INVERSES] == [
        (ruleset.FAMILY, ruleset.TABLE),
        (ruleset.DEVICE_FAMILY, ruleset.TABLE),
    ]
