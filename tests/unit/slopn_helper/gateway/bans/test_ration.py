from __future__ import annotations

from ipaddress import ip_network

from slopn_helper.gateway.bans.ration import Ration, Share

ONE, OTHER = ip_network("203.0.113.7/32"), ip_network("2001:db8::/64")


def test_a_source_speaks_so_often_in_a_period_and_what_was_left_out_is_told() -> None:
    """The next period's first line says how many went without."""
    ration = Ration(Share(each=2, period=60.0))
    assert [ration.take(ONE, at) for at in (0.0, 1.0, 2.0, 3.0)] == [0, 0, None, None]
    assert ration.take(OTHER, 3.0) == 0
    assert ration.take(ONE, 60.0) == 2
    assert ration.take(ONE, 61.0) == 0


def test_all_together_have_a_bound_too() -> None:
    """A flood of sources doesn't fill the disk."""
    ration = Ration(Share(together=3, period=60.0))
    spoke = [ration.take(ip_network(number), 1.0) for number in range(10)]
    assert spoke == [0, 0, 0, *[None] * 7]


def test_memory_is_bounded() -> None:
    """Of too many sources the oldest are forgotten."""
    ration = Ration(Share(most_sources=5))
    for number in range(100):
        ration.take(ip_network(number), 1.0)
    assert len(ration._sources) == 5


def test_a_clock_set_back_begins_a_new_period() -> None:
    """Nobody is silent until the old time comes again."""
    ration = Ration(Share(each=1))
    assert [ration.take(ONE, at) for at in (1000.0, 1001.0, 5.0)] == [0, None, 1]
