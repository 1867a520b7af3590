from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.host.firewall import (
    Blocked,
    FirewallError,
    FirewallPolicy,
    Open,
    Tunnelled,
    nftables,
    ruleset,
    tables,
)
from slopn_helper.host.firewall.devices import Device
from slopn_helper.host.firewall.nftables import INVERSES, NftablesFirewall
from slopn_helper.host.journal import Journal
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
        self.garble = 0
        """So many of the next scripts leave the tables without a rule."""

    def run(self, script: str) -> None:
        """Put the policy in force that the script is of."""
        frames, packets = ("table netdev" in script, "table inet" in script)
        if self.refuse or (frames and self.refuse_frames):
            self.log.append("refuse")
            raise self.refuse or self.refuse_frames or FirewallError("no")
        self.log.append("replace" if script.startswith("table") else "fill")
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

    def remove(self, family: str = "inet", table: str = "slopn") -> None:
        """No table."""
        self.log.append(f"remove {family} {table}")
        self.change(family, None)

    def generation(self) -> int:
        """Another one after each change."""
        return self.number

    def owner(self, family: str, table: str) -> int | None:
        """Whose it is."""
        assert table == "slopn"
        return self.owners.get(family)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """A kernel that keeps two tables, in place of libnftables; the host has no devices."""
    fake = FakeKernel()
    monkeypatch.setattr(nftables, "Nft", lambda: fake)
    monkeypatch.setattr(tables, "Nft", lambda: fake)
    monkeypatch.setattr("slopn_helper.host.firewall.kernel.generation", fake.generation)
    monkeypatch.setattr("slopn_helper.host.firewall.kernel.owner", fake.owner)
    monkeypatch.setattr(tables, "ways_out", lambda _: frozenset())

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
    assert not kernel.tables
    made = NftablesFirewall(journal, fwmark=51820)
    yield made
    made.close()


def apply(firewall: NftablesFirewall, policy: FirewallPolicy) -> None:
    """Apply and wait."""
    asyncio.run(firewall.apply(policy, persist=False))


def test_an_owned_table_is_claimed_then_filled(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """The claim changes no packet's way; one transaction puts the policy in."""
    apply(firewall, CONNECTING)
    assert kernel.log == ["claim", "claim", "fill", "drop"]
    assert kernel.tables == LISTINGS["connecting"]


def test_a_plain_table_is_replaced_in_one_script(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """Where the kernel can't own tables."""
    kernel.can_own = False
    apply(firewall, CONNECTING)
    assert kernel.log == ["claim", "claim", "replace", "drop"]


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
    assert journal.entries() == INVERSES
    kernel.refuse = None
    apply(firewall, CONNECTING)
    assert journal.entries() == INVERSES
    apply(firewall, Open())
    assert journal.entries() == ()
    assert not kernel.tables


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
    for family in FAMILIES:
        kernel.change(family, LISTINGS["tunnelled"][family])
        assert "instead of" in str(asyncio.run(firewall.drift()))
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


def test_a_table_whose_owner_is_lost_has_drifted(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """The rules are still there, but anybody may change them now."""
    for family in FAMILIES:
        apply(firewall, CONNECTING)
        assert asyncio.run(firewall.drift()) is None
        del kernel.owners[family]
        assert asyncio.run(firewall.drift()) == f"the table {family} slopn has lost its owner"


def test_without_a_change_nothing_is_listed(
    firewall: NftablesFirewall, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's own number says that nobody has changed a rule: that makes `drift` cheap."""
    apply(firewall, CONNECTING)
    asked: list[str] = []

    def listing(family: str) -> list[dict[str, Any]]:
        asked.append(family)
        return kernel.tables[family]

    monkeypatch.setattr(kernel, "listing", listing)
    assert asyncio.run(firewall.drift()) is None
    assert asked == []
    kernel.number += 1
    assert asyncio.run(firewall.drift()) is None
    assert asked == list(FAMILIES)
    assert asyncio.run(firewall.drift()) is None
    assert asked == list(FAMILIES)


def test_a_device_that_comes_is_guarded_and_no_difference(
    firewall: NftablesFirewall, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `links_changed` at once, by `drift` at the latest; the table for packets isn't touched."""
    apply(firewall, CONNECTING)
    sent: list[str] = []
    monkeypatch.setattr(kernel, "run", sent.append)
    asyncio.run(firewall.links_changed())
    assert sent == []
    for number, look in enumerate((firewall.links_changed, firewall.drift), 1):
        there = frozenset({Device(number, "eth0")})
        monkeypatch.setattr(tables, "ways_out", lambda _, there=there: there)
        assert asyncio.run(look()) is None
        assert len(sent) == number
        assert 'device "eth0"' in sent[-1]
        assert "inet" not in sent[-1]


def test_a_kernel_without_the_egress_hook_has_the_other_table(
    firewall: NftablesFirewall, kernel: FakeKernel, caplog: pytest.LogCaptureFixture
) -> None:
    """Linux before 5.16: packets are filtered all the same, and it is said once what isn't; it isn't tried again."""
    kernel.refuse_frames = FirewallError("nftables refused the rules: Operation not supported")
    for policy in (CONNECTING, TUNNELLED, CONNECTING):
        apply(firewall, policy)
    assert kernel.tables == {"inet": LISTINGS["connecting"]["inet"]}
    assert "not supported" in str(firewall.unguarded)
    assert caplog.text.count("not guarded") == 1
    assert kernel.log.count("refuse") == 1
    assert asyncio.run(firewall.drift()) is None
    apply(firewall, Open())
    assert firewall.unguarded is None


def test_frames_that_cannot_be_filtered_now_are_filtered_later(firewall: NftablesFirewall, kernel: FakeKernel) -> None:
    """Whatever is in the way, the policy for packets is in force, and each look tries again."""
    kernel.refuse_frames = FirewallError("busy")
    apply(firewall, CONNECTING)
    assert kernel.tables == {"inet": LISTINGS["connecting"]["inet"]}
    assert asyncio.run(firewall.drift()) is None
    before = firewall.unguarded
    kernel.refuse_frames = None
    assert asyncio.run(firewall.drift()) is None
    assert (before, firewall.unguarded) == ("busy", None)
    assert "netdev" in kernel.tables
