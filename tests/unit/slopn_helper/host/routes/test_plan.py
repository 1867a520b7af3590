from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.plan import UNICAST, UNREACHABLE, Plan, plan

OWN = (
    "unreachable {default} in table 51820",
    "{default} in table 51820",
)
RULES = ("IPv{v} rule 32764 to table 254", "IPv{v} rule 32765 to table 51820")


def made(*networks: str, table: int | None = None, fwmark: int = 51820) -> Plan:
    """The plan for these allowed IPs."""
    return plan(RouteConfig("slopn0", (), tuple(ip_network(n) for n in networks), 1420, fwmark, table))


def own(version: int) -> tuple[str, ...]:
    """The routes of our own table for one family."""
    return tuple(line.format(default={4: "0.0.0.0/0", 6: "::/0"}[version]) for line in OWN)


def rules(version: int) -> tuple[str, ...]:
    """The rules of one family."""
    return tuple(line.format(v=version) for line in RULES)


@pytest.mark.parametrize(
    ("networks", "table", "routes", "expected_rules"),
    [
        ((), None, (), ()),
        (("0.0.0.0/0", "::/0"), None, own(4) + own(6), rules(4) + rules(6)),
        (("0.0.0.0/0",), None, own(4), rules(4)),
        (("::/0",), None, own(6), rules(6)),
        (("10.0.0.0/8", "fd00::/8"), None, ("10.0.0.0/8 in table 254", "fd00::/8 in table 254"), ()),
        (("10.0.0.0/8", "0.0.0.0/0"), None, (*own(4), "10.0.0.0/8 in table 254"), rules(4)),
        (("0.0.0.0/1",), None, ("0.0.0.0/1 in table 254",), ()),
        (("10.0.0.0/8", "10.0.0.0/8"), None, ("10.0.0.0/8 in table 254",), ()),
        (("0.0.0.0/0", "10.0.0.0/8"), 123, ("0.0.0.0/0 in table 123", "10.0.0.0/8 in table 123"), ()),
        (("0.0.0.0/0",), 254, ("0.0.0.0/0 in table 254",), ()),
    ],
)  # fmt: skip
def test_allowed_ips_become_routes_and_rules(
    networks: tuple[str, ...], table: int | None, routes: tuple[str, ...], expected_rules: tuple[str, ...]
) -> None:
    """Default routes go behind rules into our own table, the rest into main, everything into a table that is named."""
    result = made(*networks, table=table)
    assert tuple(map(str, result.routes)) == routes
    assert tuple(map(str, result.rules)) == expected_rules
    assert result.marks4 is any("IPv4" in r for r in expected_rules)


@pytest.mark.parametrize(
    ("networks", "endpoint", "behind", "main"),
    [
        (("0.0.0.0/1", "128.0.0.0/1"), "203.0.113.1", {"128.0.0.0/1"}, {"0.0.0.0/1"}),
        (("0.0.0.0/1", "128.0.0.0/1"), "2001:db8::1", set(), {"0.0.0.0/1", "128.0.0.0/1"}),
        (("::/1", "8000::/1"), "2001:db8::1", {"::/1"}, {"8000::/1"}),
        (("8.0.0.0/7", "200.0.0.0/5", "203.0.112.0/20"), "203.0.113.1", {"200.0.0.0/5", "203.0.112.0/20"}, {"8.0.0.0/7"}),
        (("10.0.0.0/8",), "203.0.113.1", set(), {"10.0.0.0/8"}),
    ],
)  # fmt: skip
def test_a_route_that_covers_an_endpoint_is_kept_from_the_engines_packets(
    networks: tuple[str, ...], endpoint: str, behind: set[str], main: set[str]
) -> None:
    """Halves of a default route and lists that spare private networks would otherwise swallow the tunnel itself."""
    result = plan(
        RouteConfig("slopn0", (), tuple(map(ip_network, networks)), 1420, 1, endpoints=(ip_address(endpoint),))
    )
    assert {str(r.destination) for r in result.routes if r.table == 51820 and r.kind == UNICAST} == behind
    assert {str(r.destination) for r in result.routes if r.kind == UNREACHABLE} == behind
    assert {str(r.destination) for r in result.routes if r.table == 254} == main
    assert bool(result.rules) is bool(behind)


def test_the_unreachable_default_comes_first_and_loses_to_the_tunnel() -> None:
    """It is there before anything leads to the table, and its metric is worse than the tunnel's route."""
    for family in ("0.0.0.0/0", "::/0"):
        unreachable, through = made(family).routes
        assert unreachable.metric > through.metric


def test_the_catch_all_rule_comes_last_and_spares_our_own_packets() -> None:
    """Once it is there everything but the engine's mark is led into the tunnel, so all else must be in place."""
    main_first, rest = made("0.0.0.0/0", fwmark=7).rules
    assert main_first.fwmark is None
    assert rest.fwmark == 7
    assert main_first.priority < rest.priority < 32766


@pytest.mark.parametrize(
    ("networks", "excluded", "table", "routes", "expected_rules"),
    [
        (("0.0.0.0/0",), ("198.51.100.0/24",), None, ("throw 198.51.100.0/24 in table 51820", *own(4)), rules(4)),
        (("10.0.0.0/8",), ("10.1.0.0/16",), None,
         ("throw 10.1.0.0/16 in table 51820", "unreachable 10.0.0.0/8 in table 51820", "10.0.0.0/8 in table 51820"),
         rules(4)),
        (("10.0.0.0/8",), ("192.0.2.0/24", "2001:db8::/32"), None, ("10.0.0.0/8 in table 254",), ()),
        (("::/0",), ("2001:db8::/32",), None, ("throw 2001:db8::/32 in table 51820", *own(6)), rules(6)),
        (("0.0.0.0/0",), ("10.0.0.0/8",), 123, ("throw 10.0.0.0/8 in table 123", "0.0.0.0/0 in table 123"), ()),
    ],
)  # fmt: skip
def test_what_stays_outside_is_thrown_out_of_the_tunnels_table(
    networks: tuple[str, ...],
    excluded: tuple[str, ...],
    table: int | None,
    routes: tuple[str, ...],
    expected_rules: tuple[str, ...],
) -> None:
    """The look-up goes on in main; what the tunnel wouldn't take anyway needs no route."""
    result = plan(
        RouteConfig(
            "slopn0",
            (),
            tuple(map(ip_network, networks)),
            1420,
            51820,
            table,
            excluded=tuple(map(ip_network, excluded)),
        )
    )
    assert tuple(map(str, result.routes)) == routes
    assert tuple(map(str, result.rules)) == expected_rules
