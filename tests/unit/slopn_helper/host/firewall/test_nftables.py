from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.host.firewall import Blocked, FirewallError, FirewallPolicy, Open, Tunnelled, nftables, ruleset
from slopn_helper.host.firewall.nftables import INVERSE, NftablesFirewall
from slopn_helper.host.journal import Journal, RemoveNftTable
from slopn_wire.events import PolicyKind
from slopn_wire.profile import Endpoint

DATA = Path(__file__).parents[4] / "data/firewall"
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
LISTINGS = {
    "connecting": json.loads((DATA / "connecting.json").read_text(encoding="utf-8")),
    "tunnelled": json.loads((DATA / "tunnelled_lan.json").read_text(encoding="utf-8")),
}


class FakeKernel:
    """One table that knows two policies by their scripts; shared by every context made."""

    def __init__(self) -> None:
        self.table: list[dict[str, Any]] | None = None
        self.can_own = True
        self.log: list[str] = []
        self.refuse: FirewallError | None = None
        self.garble = 0
        """So many of the next scripts leave the table without a rule."""

    def run(self, script: str) -> None:
        """Put the policy in force that the script is of."""
        if self.refuse:
            raise self.refuse
        self.log.append("replace" if script.startswith("table") else "fill")
        rules = LISTINGS["tunnelled" if "slopn0" in script else "connecting"]
        if self.garble:
            self.garble -= 1
            rules = [item for item in rules if "rule" not in item]
        self.table = list(rules)

    def claim(self) -> bool:
        """Make the table if it can be owned."""
        self.log.append("claim")
        if self.can_own and self.table is None:
            self.table = [{"table": {"name": "slopn"}}]
        return self.can_own

    def listing(self, *_: str) -> list[dict[str, Any]] | None:
        """What is there."""
        return self.table

    def remove(self, *which: str) -> None:
        """No table."""
        self.log.append(" ".join(("remove", *which)))
        self.table = None


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """A kernel that keeps one table, in place of libnftables."""
    fake = FakeKernel()
    monkeypatch.setattr(nftables, "Nft", lambda: fake)

    async def drop() -> int:
        fake.log.append("drop")
        return 1

    monkeypatch.setattr(nftables, "drop_waiting", drop)
    return fake


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty journal."""
    return Journal(tmp_path / "journal", "boot")


@pytest.fixture
def firewall(kernel: FakeKernel, journal: Journal) -> Iterator[NftablesFirewall]:
    """The firewall on the fake kernel; its thread ends with the test."""
    assert kernel.table is None
    made = NftablesFirewall(journal, fwmark=51820)
    yield made
    made.close()


def apply(firewall: NftablesFirewall, policy: FirewallPolicy) -> None:
    """Apply and wait."""
    asyncio.run(firewall.apply(policy, persist=False))


def test_an_owned_table_is_claimed_then_filled(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """The claim changes no packet's way; one transaction puts the policy in."""
    apply(firewall, CONNECTING)
    assert kernel.log == ["claim", "fill", "drop"]
    assert kernel.table == LISTINGS["connecting"]


def test_a_plain_table_is_replaced_in_one_script(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """Where the kernel can't own tables."""
    kernel.can_own = False
    apply(firewall, CONNECTING)
    assert kernel.log == ["claim", "replace", "drop"]


def test_owned_false_never_claims(kernel: FakeKernel, journal: Journal) -> None:
    """The plain way can be chosen."""
    firewall = NftablesFirewall(journal, fwmark=51820, owned=False)
    apply(firewall, CONNECTING)
    firewall.close()
    assert kernel.log == ["replace", "drop"]


def test_the_inverse_is_on_disk_before_the_rules_and_goes_with_them(
    firewall: NftablesFirewall, kernel: FakeKernel, journal: Journal
) -> None:
    """A crash at any moment leaves word of the table; an opened host leaves none."""
    kernel.refuse = FirewallError("no")
    with pytest.raises(FirewallError):
        apply(firewall, CONNECTING)
    assert journal.entries() == (INVERSE,)
    kernel.refuse = None
    apply(firewall, CONNECTING)
    assert journal.entries() == (INVERSE,)
    apply(firewall, Open())
    assert journal.entries() == ()
    assert kernel.table is None


def test_a_journal_that_cannot_be_written_stops_the_change(
    firewall: NftablesFirewall, kernel: FakeKernel, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its inverse on disk no rule is made."""

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(journal, "record", full)
    with pytest.raises(FirewallError, match="journal"):
        apply(firewall, CONNECTING)
    assert kernel.log == []


def test_a_journal_that_cannot_forget_does_not_keep_the_host_closed(
    firewall: NftablesFirewall, kernel: FakeKernel, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening succeeds: what stays in the journal is harmless."""
    apply(firewall, CONNECTING)

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(journal, "forget", full)
    apply(firewall, Open())
    assert kernel.table is None


def test_what_waits_is_dropped_when_the_host_closes(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """After the rules, and again after each opening; not at a change between two closed policies."""
    for policy in (CONNECTING, TUNNELLED, CONNECTING, Open(), CONNECTING):
        apply(firewall, policy)
    assert [word for word in kernel.log if word != "claim"] == [
        "fill", "drop", "fill", "fill", "remove", "fill", "drop",
    ]  # fmt: skip


def test_a_failure_to_drop_what_waits_does_not_undo_the_block(
    firewall: NftablesFirewall, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules are in force and stay so."""

    async def fail() -> int:
        raise FirewallError("no netlink")

    monkeypatch.setattr(nftables, "drop_waiting", fail)
    apply(firewall, CONNECTING)
    assert kernel.table == LISTINGS["connecting"]


def test_a_first_claim_that_cannot_be_filled_is_given_up(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """An empty table of ours isn't left behind."""
    kernel.refuse = FirewallError("refused")
    with pytest.raises(FirewallError, match="refused"):
        apply(firewall, CONNECTING)
    assert kernel.table is None


def test_a_refused_change_leaves_the_policy_before_it(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """The rules stay, and count as those last applied."""
    apply(firewall, CONNECTING)
    kernel.refuse = FirewallError("refused")
    with pytest.raises(FirewallError, match="refused"):
        apply(firewall, TUNNELLED)
    assert kernel.table == LISTINGS["connecting"]
    assert asyncio.run(firewall.drift()) is None


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
    assert kernel.table == LISTINGS["connecting"]


def test_must_12_what_is_read_back_differs_twice_and_the_last_policy_returns(
    firewall: NftablesFirewall, kernel: FakeKernel
) -> None:
    """A success that can't be seen is a failure."""
    apply(firewall, CONNECTING)
    kernel.garble = 2
    with pytest.raises(FirewallError, match="not those that were sent"):
        apply(firewall, TUNNELLED)
    assert kernel.table == LISTINGS["connecting"]


def test_drift_names_what_is_different(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """None after an apply; a sentence after somebody else's change; None again after Open."""
    assert asyncio.run(firewall.drift()) is None
    apply(firewall, CONNECTING)
    assert asyncio.run(firewall.drift()) is None
    kernel.table = LISTINGS["tunnelled"]
    assert "instead of" in str(asyncio.run(firewall.drift()))
    kernel.table = None
    assert asyncio.run(firewall.drift()) == "the table is gone"
    apply(firewall, Open())
    assert asyncio.run(firewall.drift()) is None


def test_equal_rules_of_somebody_else_are_drift(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """Other handles: the table was made anew, and nobody knows what was in force in between."""
    apply(firewall, CONNECTING)
    kernel.table = [{**item, "seen": True} for item in LISTINGS["connecting"]]
    assert asyncio.run(firewall.drift()) is not None


def test_a_table_of_an_earlier_process_is_drift_until_it_is_replaced(
    firewall: NftablesFirewall, kernel: FakeKernel
) -> None:
    """A helper that starts sees what is in force, and adopts it by its first apply."""
    kernel.table = LISTINGS["tunnelled"]
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
    assert kernel.table == LISTINGS["connecting"]


def test_remove_all_and_the_journals_undo_remove_the_table(kernel: FakeKernel) -> None:
    """The two ways back for a process that has no firewall of its own."""
    kernel.table = LISTINGS["connecting"]
    nftables.remove_all()
    assert kernel.table is None
    asyncio.run(nftables.undo(RemoveNftTable("inet", "slopn")))
    assert kernel.log == ["remove", "remove inet slopn"]


def test_the_inverse_names_the_table_that_is_made() -> None:
    """What the journal removes is what the rules are in."""
    assert (INVERSE.family, INVERSE.name) == (ruleset.FAMILY, ruleset.TABLE)
