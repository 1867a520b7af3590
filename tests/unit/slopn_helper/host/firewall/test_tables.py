from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slopn_helper.host.firewall import FirewallError, Open, tables
from slopn_helper.host.firewall.devices import Device
from slopn_helper.host.firewall.nftables import NftablesFirewall
from slopn_helper.host.journal import Journal
from slopn_wire.events import PolicyKind
from support.fake_nft import CONNECTING, FAMILIES, LISTINGS, TUNNELLED, FakeKernel, apply, installed


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


def test_an_orphan_that_cannot_be_listed_is_claimed(
    firewall: NftablesFirewall, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed helper has left is known all the same; where it can't be claimed, nobody knows."""
    kernel.tables["inet"] = LISTINGS["connecting"]["inet"]
    listing = kernel.listing

    def failing(family: str = "inet", table: str = "slopn") -> list[dict[str, Any]] | None:
        if family not in kernel.owners:
            raise FirewallError("no JSON")
        return listing(family, table)

    monkeypatch.setattr(kernel, "listing", failing)
    kernel.can_own = False
    with pytest.raises(FirewallError, match="no JSON"):
        asyncio.run(firewall.in_force())
    kernel.can_own = True
    assert asyncio.run(firewall.in_force()) is PolicyKind.BLOCKED


def test_a_storm_of_devices_is_one_look_more(
    firewall: NftablesFirewall, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one look is under way, all that comes is for the next; that one comes for certain."""
    apply(firewall, CONNECTING)
    begun, go_on, looks = threading.Event(), threading.Event(), 0

    def slowly(_: str | None) -> frozenset[Device]:
        nonlocal looks
        looks += 1
        begun.set()
        assert go_on.wait(10)
        return frozenset()

    async def storm() -> None:
        first = asyncio.ensure_future(firewall.links_changed())
        assert await asyncio.to_thread(begun.wait, 10)
        others = [asyncio.ensure_future(firewall.links_changed()) for _ in range(100)]
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, *others)

    scripts = len(kernel.scripts)
    monkeypatch.setattr(tables, "ways_out", slowly)
    asyncio.run(storm())
    assert looks == 2
    assert len(kernel.scripts) == scripts
    asyncio.run(firewall.links_changed())
    assert looks == 3


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
