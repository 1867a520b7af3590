from __future__ import annotations

from collections.abc import Sequence

import pytest

from slopn_helper.diagnose.vpns import KNOWN, found, in_the_way, is_nearly_default
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


WG_QUICK_RULE = Rule(4, 32763, 51821, fwmark=51821, inverted=True)
WG_QUICK_ROUTE = Route(51821, "0.0.0.0/0", device="home")


def blocking(
    links: Sequence[Link] = (),
    routes: Sequence[Route] = (),
    rules: Sequence[Rule] = (),
    filters: Filters = NONE,
    *,
    ours: Sequence[Rule] = RULES,
    connected: bool = True,
) -> dict[str, list[str]]:
    """Who is in the way of our tunnel, beside all that is there anyway."""
    up = [Link(name, 1420, usable=True) for name in ("tailscale0", "home", "tun0", "ppp0")]
    return in_the_way(
        (*LINKS, *up, *links), (*ROUTES, *routes), (*ours, *rules), filters, "slopn0", connected=connected
    )


def test_what_takes_nothing_isnt_in_the_way() -> None:
    """Our own things, the network's default route, and VPNs that have networks of their own alone."""
    assert blocking() == {}
    routes = (Route(52, "100.64.0.0/10", device="tailscale0"), Route(254, "10.0.0.0/8", device="tun0"))
    assert blocking(routes=routes, rules=(Rule(4, 5270, 52), Rule(4, 5210, 254, fwmark=0x80000))) == {}
    # Their own packets alone; a source's; later than ours; a tunnel that is down.
    for rule in (
        Rule(4, 100, 51821, fwmark=7),
        Rule(4, 100, 51821, partial=True),
        Rule(4, 32766, 51821),
        Rule(6, 100, 51821),
    ):
        assert blocking(routes=(WG_QUICK_ROUTE,), rules=(rule,)) == {}
    assert blocking(routes=(Route(51821, "0.0.0.0/0", device="gone"),), rules=(WG_QUICK_RULE,)) == {}


@pytest.mark.parametrize(
    ("routes", "rules", "who"),
    [
        ((WG_QUICK_ROUTE,), (WG_QUICK_RULE,), "wg-quick"),
        ((Route(52, "0.0.0.0/0", device="tailscale0"),), (Rule(4, 5270, 52),), "Tailscale"),
        ((Route(1000, "0.0.0.0/0", device="tailscale0"),), (Rule(4, 5, 1000),), "Tailscale"),
        ((Route(52, "::/0", device="tailscale0"),), (Rule(6, 5270, 52),), "Tailscale"),
        (
            (Route(0x6D6F6C65, "0.0.0.0/0", unreachable=True),),
            (Rule(4, 5199, 0x6D6F6C65, fwmark=0x6D6F6C65, inverted=True),),
            "Mullvad",
        ),
        ((Route(1000, "0.0.0.0/1", device="ppp0"),), (Rule(4, 5, 1000),), "another program"),
    ],
)
def test_a_rule_before_ours_is_in_the_way(routes: tuple[Route, ...], rules: tuple[Rule, ...], who: str) -> None:
    """If it leads everything to a default route; told by rule, or by the interface it ends at."""
    ours = (*RULES, Rule(6, 32765, 51820, fwmark=51820, inverted=True, protocol=151, ours=True))
    found = blocking(routes=routes, rules=rules, ours=ours)
    assert list(found) == [who]
    assert found[who] == [
        f"IPv{rules[0].version} rule {rules[0].priority} to table {rules[0].table}, which is asked before SloPN's"
    ]


def test_halves_of_the_internet_are_in_the_way() -> None:
    """OpenVPN's `redirect-gateway def1`: longer than what our rule leaves out of the main table."""
    halves = (Route(254, "0.0.0.0/1", device="tun0"), Route(254, "128.0.0.0/1", device="tun0"))
    said = {"OpenVPN": ["route 0.0.0.0/1 by tun0", "route 128.0.0.0/1 by tun0"]}
    assert blocking(routes=halves) == said
    # A tunnel for some networks has no rules, and takes nothing from there.
    assert blocking(routes=halves, ours=()) == {}
    assert blocking(routes=halves, ours=(), connected=False) == said
    assert blocking(routes=(Route(254, "::/1", device="ppp0"),)) == {}, "our tunnel has no IPv6"


def test_a_default_route_by_a_known_tunnel_is_in_the_way() -> None:
    """A Wi-Fi's or a modem's is none of it."""
    assert blocking(routes=(Route(254, "0.0.0.0/0", device="tun0"),)) == {"OpenVPN": ["route 0.0.0.0/0 by tun0"]}
    assert blocking(routes=(Route(254, "0.0.0.0/0", device="ppp0"),)) == {}


def test_a_filter_that_drops_is_in_the_way() -> None:
    """A known VPN's always; a firewall of the host's own only while no tunnel comes up."""
    filters = Filters("", ("inet mullvad", "ip filter"), ("inet mullvad", "ip filter"))
    mullvad = {"Mullvad": ["firewall table inet mullvad, which drops packets"]}
    assert blocking(filters=filters) == mullvad
    assert blocking(filters=filters, connected=False) == mullvad | {
        "another firewall": ["firewall table ip filter, which drops packets"]
    }
