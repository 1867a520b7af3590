"""A short sample of `make kills`: every way of dying, on two of the five hosts."""

from __future__ import annotations

from typing import get_args

import pytest

from kills.plan import SAMPLE, Amount, measure, spread, tries
from kills.world import World
from slopn_helper.tunnel.effects import Effect

pytestmark = pytest.mark.root

FEW = Amount(1, 1, 0, 1, 0, 0)


@pytest.mark.parametrize(("mechanism", "mode", "amount"), [("resolv_conf", "on", SAMPLE), ("resolved", "always", FEW)])
def test_restore_gives_the_host_back(mechanism: str, mode: str, amount: Amount) -> None:
    """Whenever the helper died: the same fingerprint. Most deaths leave something to undo, or nothing is proved.

    And in a whole life, a power cut would find each inverse on the disk before the host is changed.
    """
    dirty = tried = 0
    with World(mechanism) as world:
        lengths = measure(world, mode)
        assert lengths.kinds == {effect.__name__ for effect in get_args(Effect)}
        assert lengths.power, "nothing was looked at"
        assert lengths.lost() == []
        for attempt, moment in tries(lengths, amount, mode):
            kill = attempt(world, mode, moment)
            assert kill.left == [], kill
            assert kill.kills, kill
            tried += 1
            dirty += kill.dirty > 0
    assert dirty > tried // 3


def test_what_restore_leaves_is_seen() -> None:
    """The positive control of the comparison: a rule, a file and a kernel setting that nobody put back."""
    with World("resolv_conf") as world:
        for foreign in (
            "nft add table inet left",
            "touch /etc/left",
            "echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_ignore",
            "ip -6 rule add fwmark 1 lookup 100",
        ):
            before = len(world.changed())
            world.client.run(foreign)
            assert len(world.changed()) > before, foreign


def test_moments_are_spread_over_the_whole() -> None:
    """Evenly, within the whole, and other ones in each series; all of them where that is asked for."""
    assert [spread(9, 3, series, 3) for series in range(3)] == [[1, 4, 7], [2, 5, 8], [3, 6, 9]]
    assert spread(4, None, 0, 3) == spread(4, 9, 1, 3) == [1, 2, 3, 4]
    assert spread(9, 0, 0, 3) == []
