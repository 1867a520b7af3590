from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from slopn_helper.host.netmon.state import WakeUps, best_default, without_link_local
from slopn_helper.host.rtnl import LinkRow, RouteRow

LO, ETH, WLAN, TUN, OTHER = 1, 2, 3, 9, 8
LINKS = (
    LinkRow(LO, "lo", 65536, usable=True),
    LinkRow(ETH, "eth0", 1500, usable=True),
    LinkRow(WLAN, "wlan0", 1500, usable=True),
    LinkRow(TUN, "slopn0", 1420, usable=True),
    LinkRow(OTHER, "tun1", 1400, usable=True),
)
GATEWAY = ip_address("192.0.2.1")


def route(device: int | None, metric: int = 0, to: str = "0.0.0.0/0", kind: int = 1, *, dead: bool = False) -> RouteRow:
    """A route of table main."""
    return RouteRow(254, ip_network(to), kind, metric, 3, device, GATEWAY, dead)


@pytest.mark.parametrize(
    ("routes", "device"),
    [
        ([], None),
        ([route(ETH, 100), route(WLAN, 600)], ETH),
        ([route(WLAN, 600), route(ETH, 100)], ETH),
        ([route(WLAN, 100), route(ETH, 100)], ETH),
        ([route(ETH, 100, dead=True), route(WLAN, 600)], WLAN),
        ([route(TUN, 0), route(WLAN, 600)], WLAN),
        ([route(TUN, 0)], None),
        ([route(OTHER, 50), route(ETH, 100)], OTHER),
        ([route(LO, 0), route(ETH, 100)], ETH),
        ([route(None, 0), route(ETH, 100)], ETH),
        ([route(ETH, 0, kind=7), route(WLAN, 600)], WLAN),
        ([route(ETH, 0, "10.0.0.0/8"), route(WLAN, 600)], WLAN),
        ([route(77, 0), route(WLAN, 600)], WLAN),
    ],
)
def test_the_best_way_out_that_is_not_ours(routes: list[RouteRow], device: int | None) -> None:
    """Lowest metric through a usable device; our tunnel, dead routes and narrower ones don't count."""
    found = best_default(routes, LINKS, "slopn0")
    assert (found.device if found else None) == device


def test_a_device_without_carrier_is_no_way_out() -> None:
    """A pulled cable counts before anybody has removed the route."""
    unplugged = [link._replace(usable=link.name != "eth0") for link in LINKS]
    found = best_default([route(ETH, 100), route(WLAN, 600)], unplugged, "slopn0")
    assert found is not None
    assert found.device == WLAN


def test_addresses_are_in_a_fixed_order_without_link_local_ones() -> None:
    """The order in which a lease adds them must not look like a change."""
    given = [
        ip_interface(a) for a in ("fe80::1/64", "2001:db8::2/64", "192.0.2.9/24", "169.254.1.1/16", "192.0.2.7/24")
    ]
    expected = ("192.0.2.7", "192.0.2.9", "2001:db8::2")
    assert tuple(map(str, without_link_local(given))) == expected
    assert tuple(map(str, without_link_local(reversed(given)))) == expected


def test_sleep_is_noticed_once() -> None:
    """A jump of the clock that counts sleep is one wake-up; drift of the two clocks is none."""
    wakeups = WakeUps(1000.0, 400.0)
    assert not wakeups.look(1003.0, 403.0, 50.0)
    assert [wakeups.look(1006.4, 406.0, 53.0), wakeups.last] == [False, None]
    assert [wakeups.look(4600.0, 409.0, 3650.0), wakeups.last] == [True, 3650.0]
    assert [wakeups.look(4603.0, 412.0, 3653.0), wakeups.last] == [False, 3650.0]


def test_a_wake_up_that_is_told_is_the_one_that_the_clocks_show() -> None:
    """Whoever is first, clocks or daemon, one sleep is one wake-up; the next one is another, also if the clocks agree."""
    wakeups = WakeUps(1000.0, 400.0)
    assert [wakeups.told(4600.0, 403.0, 3650.0), wakeups.last] == [True, 3650.0]
    assert [wakeups.look(4602.0, 405.0, 3652.0), wakeups.last] == [False, 3650.0]
    assert [wakeups.look(8200.0, 406.0, 7250.0), wakeups.last] == [True, 7250.0]
    assert [wakeups.told(8201.0, 407.0, 7251.0), wakeups.last] == [False, 7250.0]
    assert [wakeups.told(8301.0, 507.0, 7351.0), wakeups.last] == [True, 7351.0]
    assert [wakeups.told(8302.0, 508.0, 7251.0), wakeups.last] == [True, 7251.0], "the clock was set back meanwhile"
