from __future__ import annotations

from collections.abc import Sequence

import pytest

from slopn_helper.diagnose.vpns import KNOWN, found, is_nearly_default
from slopn_helper.host.facts import Filters, Link, Route, Rule
from support.diagnosis import FILTERS, LINKS, ROUTES, RULES

NONE = Filters("")


def seen(
    links: Sequence[Link] = (), routes: Sequence[Route] = (), rules: Sequence[Rule] = (), filters: Filters = NONE
) -> dict[str, list[str]]:
    """Whom these betray."""
    return found(links, routes, rules, filters, "slopn0")


def test_our_own_and_an_ordinary_hosts_are_nobodys() -> None:
    """Neither our routes, rules and table nor the network's own."""
    assert seen(LINKS, ROUTES, RULES, FILTERS) == {}


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("tailscale0", "Tailscale"),
        ("wg0-mullvad", "Mullvad"),
        ("wt0", "NetBird"),
        ("tun-firezone", "Firezone"),
        ("nordlynx", "NordVPN"),
        ("CloudflareWARP", "Cloudflare WARP"),
        ("proton0", "Proton VPN"),
        ("pvpnksintrf0", "Proton VPN"),
        ("tun0", "OpenVPN"),
        ("wg0", "wg-quick"),
        ("ztabcdef12", "ZeroTier"),
    ],
)
def test_an_interface_names_its_program(name: str, who: str) -> None:
    """While it is up; one that is down does nothing."""
    assert seen([Link(name, 1280, usable=True)]) == {who: [f"interface {name}"]}
    assert seen([Link(name, 1280, usable=False)]) == {}


@pytest.mark.parametrize(
    ("rule", "who"),
    [
        (Rule(4, 5270, 52), "Tailscale"),
        (Rule(4, 5210, 254, fwmark=0x80000), "Tailscale"),
        (Rule(6, 5199, 0x6D6F6C65, fwmark=0x6D6F6C65, inverted=True), "Mullvad"),
        (Rule(4, 110, 7120), "NetBird"),
        (Rule(4, 32765, 205, fwmark=0xE1F1, inverted=True), "NordVPN"),
        (Rule(4, 32764, 51820, fwmark=51820, inverted=True), "wg-quick"),
        (Rule(4, 100, 1000), "another program"),
    ],
)
def test_a_rule_names_its_program(rule: Rule, who: str) -> None:
    """By its table or its mark; one that nobody is known for is told all the same."""
    assert seen(rules=[rule]) == {who: [f"IPv{rule.version} rule {rule.priority} to table {rule.table}"]}


def test_nearly_default_routes_are_told() -> None:
    """The halves of the internet that openvpn's `redirect-gateway def1` sets, once each."""
    halves = [Route(254, "0.0.0.0/1", device="tun0"), Route(254, "128.0.0.0/1", device="tun0")]
    assert seen(routes=[*halves, halves[0], Route(254, "10.0.0.0/8", device="tun0")]) == {
        "OpenVPN": ["route 0.0.0.0/1 by tun0", "route 128.0.0.0/1 by tun0"]
    }
    assert seen(routes=[Route(254, "2000::/3", device="ppp0")]) == {"another program": ["route 2000::/3 by ppp0"]}


@pytest.mark.parametrize(("destination", "is_it"), [("0.0.0.0/0", False), ("::/1", True), ("224.0.0.0/3", False)])
def test_what_is_nearly_a_default_route(destination: str, is_it: bool) -> None:
    """Neither a default route itself nor multicast."""
    assert is_nearly_default(Route(254, destination)) == is_it


def test_a_filter_table_names_its_program() -> None:
    """By how its name begins; tables of others are nobody's business."""
    filters = Filters("", ("inet mullvad", "ip wg-quick-wg0", "ip filter", "inet firewalld"))
    assert seen(filters=filters) == {
        "Mullvad": ["firewall table inet mullvad"],
        "wg-quick": ["firewall table ip wg-quick-wg0"],
    }


def test_each_program_is_known_by_something() -> None:
    """And is in the list once."""
    assert len({vpn.name for vpn in KNOWN}) == len(KNOWN)
    assert all(vpn.interfaces or vpn.tables or vpn.marks or vpn.filters for vpn in KNOWN)
